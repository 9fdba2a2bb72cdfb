package format

import (
	"bytes"
	"net/netip"
	"strings"
)

const (
	// window is how much of a list is looked at to detect its format: past the longest licence headers seen.
	window = 64 << 10
	// sample is how many significant lines vote.
	sample = 256
)

// Detect tells the format of a list from its beginning. One adblock rule decides for Adblock, whose grammar takes plain names
// and hosts lines too; else the majority decides. A list of nothing but comments counts as domains. It returns [ErrUnknown]
// when most lines fit no format, as for dnsmasq, unbound, RPZ or IDS rules, and [ErrNotAList] for HTML and XML.
func Detect(head []byte) (Format, error) {
	if isMarkup(head) {
		return Auto, ErrNotAList
	}
	var votes ballot
	rest := bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	for len(rest) > 0 && votes.lines < sample {
		line, after := rest, []byte(nil)
		if end := bytes.IndexAny(rest, "\r\n"); end >= 0 {
			line, after = rest[:end], rest[end+1:]
		} else if len(head) >= window {
			break // a line cut by the window
		}
		votes.add(string(bytes.TrimSpace(line)))
		rest = after
	}
	return votes.decide()
}

// ballot counts what the lines of a list speak for.
type ballot struct {
	votes [len(formatNames)]int // Auto: fits nothing
	lines int                   // that voted
	bang  bool                  // some comment starts with '!': an adblock habit
}

func (b *ballot) add(line string) {
	switch {
	case line == "":
		return
	case line[0] == '!':
		b.bang = true
		return
	case line[0] == '#' || line[0] == ';':
		return
	}
	b.lines++
	b.votes[classify(line)]++
}

func (b *ballot) decide() (Format, error) {
	best := Domains
	for _, f := range []Format{Hosts, Wildcard} {
		if b.votes[f] > b.votes[best] {
			best = f
		}
	}
	switch {
	case 2*b.votes[Auto] > b.lines:
		return Auto, ErrUnknown
	case b.votes[Adblock] > 0, b.bang && best == Domains:
		return Adblock, nil
	case b.votes[Addresses] > 0 && b.votes[best] == 0:
		return Addresses, nil
	}
	return best, nil
}

// classify names the format that one line, which is no comment, speaks for; Auto when none.
func classify(line string) Format {
	if strings.HasPrefix(line, "[Adblock") || isCosmetic(line) || adblockStart(line) {
		return Adblock
	}
	line, _ = cutComment(line)
	words := strings.Fields(line)
	_, addrErr := netip.ParseAddr(words[0])
	_, prefixErr := netip.ParsePrefix(words[0])
	switch isAddr := addrErr == nil || prefixErr == nil; {
	case isAddr && len(words) > 1:
		return Hosts
	case isAddr:
		return Addresses
	case len(words) > 1:
		return Auto
	case strings.HasPrefix(words[0], "*."):
		return Wildcard
	}
	if _, _, why := target(strings.TrimLeft(words[0], "=.")); why == "" {
		return Domains
	}
	return Auto
}

func adblockStart(line string) bool {
	for _, p := range [...]string{"||", "@@", "|", "://"} {
		if strings.HasPrefix(line, p) {
			return true
		}
	}
	return strings.HasSuffix(line, "^")
}

// isMarkup says whether the first thing in head is an HTML or XML tag: an error page or a portal served in place of a list.
func isMarkup(head []byte) bool {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(head) < 2 || head[0] != '<' {
		return false
	}
	c := head[1] | 0x20
	return head[1] == '!' || head[1] == '?' || 'a' <= c && c <= 'z'
}
