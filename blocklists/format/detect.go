package format

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
)

const (
	// window is how much of a list is looked at to detect its format: past the longest licence headers seen.
	window = 64 << 10
	// sample is how many significant lines vote.
	sample = 256
)

// Detect tells the format of a list that is not compressed from its beginning. JSON shows in the first octet. A configuration
// or a table needs a majority of lines; else one adblock rule decides for Adblock, whose grammar takes plain names and hosts
// lines too; else the majority decides. A list of nothing but comments counts as domains. It returns [ErrUnknown] when most
// lines fit no format, as for IDS rules, [ErrNotAList] for HTML and XML, and [ErrEncoding] for UTF-16 and UTF-32.
func Detect(head []byte) (Format, error) {
	if err := refuse(head); err != nil {
		return Auto, err
	}
	rest := bytes.TrimPrefix(head, []byte(utf8Mark))
	if isJSON(rest) {
		return JSON, nil
	}
	var votes ballot
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

// isJSON says whether head starts as an object, or as an array of texts, objects or arrays; "[Adblock Plus 2.0]" is none.
func isJSON(head []byte) bool {
	head = bytes.TrimLeft(head, " \t\r\n")
	if len(head) == 0 || head[0] != '{' && head[0] != '[' {
		return false
	}
	next := bytes.TrimLeft(head[1:], " \t\r\n")
	if len(next) == 0 {
		return len(head) > 1 || head[0] == '{'
	}
	return next[0] == '"' || next[0] == '}' && head[0] == '{' || head[0] == '[' && bytes.IndexByte([]byte("]{["), next[0]) >= 0
}

// ballot counts what the lines of a list speak for.
type ballot struct {
	votes  [len(formatNames)]int // Auto: fits nothing
	lines  int                   // that voted
	bang   bool                  // some comment starts with '!': an adblock habit
	rules  [len(formatNames)]bool
	table  string // the first line that votes for CSV
	header string // the last comment before it
}

func (b *ballot) add(line string) {
	switch {
	case line == "":
		return
	case line[0] == '!':
		b.bang = true
		return
	case line[0] == '#' || line[0] == ';':
		if b.table == "" {
			b.header = strings.TrimLeft(line, "# ")
		}
		return
	case strings.HasPrefix(line, "// "), strings.HasPrefix(line, "/* "):
		return
	}
	b.lines++
	f := classify(line)
	b.votes[f]++
	if f == CSV && b.table == "" {
		b.table = line
	}
	b.rules[f] = b.rules[f] || isRule(f, line)
}

// isRule says whether a line that looks like one of a configuration is a rule, not just a setting: others have settings too.
func isRule(f Format, line string) bool {
	switch f {
	case Unbound:
		return strings.HasPrefix(line, "local-")
	case Bind:
		return zoneStatement(line)
	case RPZ: // prose has single letters that look like types
		upper := strings.ToUpper(line)
		return line[0] == '$' || strings.Contains(upper, "CNAME ") || strings.Contains(upper, "SOA ")
	}
	return true
}

func (b *ballot) decide() (Format, error) {
	best := b.best()
	switch {
	case 2*b.votes[Auto] > b.lines:
		return Auto, ErrUnknown
	case best > Addresses && 2*b.votes[best] > b.lines:
		return b.structured(best)
	case b.votes[Adblock] > 0, b.bang && best == Domains:
		return Adblock, nil
	}
	return b.words(best)
}

// best is what most lines speak for; addresses and adblock rules stand in lists of names too, and do not decide here.
func (b *ballot) best() Format {
	best := Domains
	for i := range b.votes {
		f := Format(i)
		if f != Auto && f != Adblock && f != Addresses && b.votes[f] > b.votes[best] {
			best = f
		}
	}
	return best
}

// words decides between the lists of names and addresses.
func (b *ballot) words(best Format) (Format, error) {
	switch {
	case best == Domains && b.votes[DNSCryptNames] > 0:
		return DNSCryptNames, nil
	case b.votes[Addresses] > 0 && (b.votes[best] == 0 || best == DNSCryptAddresses):
		return max(best, Addresses), nil
	case best > Addresses:
		return b.structured(best)
	}
	return best, nil
}

// structured confirms a configuration or a table.
func (b *ballot) structured(best Format) (Format, error) {
	ok := b.rules[best]
	if best == CSV {
		_, _, inTable := findColumn(b.table, "")
		_, _, inComment := findColumn(b.header, "")
		ok = inTable || inComment
	}
	if !ok {
		return Auto, ErrUnknown
	}
	return best, nil
}

// classify names the format that one line, which is no comment, speaks for; Auto when none.
func classify(line string) Format {
	if f := classifyConfig(line); f != Auto {
		return f
	}
	if strings.HasPrefix(line, "[Adblock") || isCosmetic(line) || adblockStart(line) {
		return Adblock
	}
	if line, _ = cutComment(line); line == "" {
		return Auto
	}
	words := strings.Fields(line)
	if f := classifyWords(words); f != Auto {
		return f
	}
	if strings.ContainsAny(line, ",;\t|") {
		return CSV
	}
	return Auto
}

// classifyWords knows the lines of lists of names and addresses.
func classifyWords(words []string) Format {
	switch one := len(words) == 1; {
	case isAddress(words[0]) && one:
		return Addresses
	case isAddress(words[0]):
		return Hosts
	case len(words) == 2 && len(words[1]) > 1 && words[1][0] == '@':
		return DNSCryptNames
	case !one:
		return Auto
	case strings.HasPrefix(words[0], "*."):
		return Wildcard
	case addressStar(words[0]):
		return DNSCryptAddresses
	}
	if _, _, why := target(strings.TrimLeft(words[0], "=.")); why == "" {
		return Domains
	}
	return classifyPort(words[0])
}

// classifyPort knows "host:port". A word before a colon is no host yet: settings look like it.
func classifyPort(word string) Format {
	switch a, ok := hostPort(strings.TrimSuffix(word, "/")); {
	case ok && a.IsAddr():
		return Addresses
	case ok && strings.Contains(a.Name.String(), "."):
		return Domains
	}
	return Auto
}

// isAddress says whether a word is an address or a prefix.
func isAddress(word string) bool {
	_, addrErr := netip.ParseAddr(word)
	_, prefixErr := netip.ParsePrefix(word)
	return addrErr == nil || prefixErr == nil
}

func addressStar(word string) bool {
	start, ok := strings.CutSuffix(word, "*")
	if !ok {
		return false
	}
	_, why := starPrefix(start)
	return why == "" || why == ReasonTooBroad
}

// classifyConfig knows the lines of configurations, zones, URLs and fingerprints by their beginnings.
func classifyConfig(line string) Format {
	words := strings.Fields(line)
	key, _, isPair := strings.Cut(line, "=")
	switch {
	case line == "msFilterList", words[0] == "-d", words[0] == "+d":
		return TPL
	case isPair && (key == "address" || key == "server" || key == "local"):
		return Dnsmasq
	case urlStart(line):
		return URLs
	case zoneStatement(line), bindBody(words):
		return Bind
	case startsWithFingerprint(line):
		return Fingerprints
	case zoneFile(line, words):
		return RPZ
	case unboundStart(words[0]):
		return Unbound
	}
	return Auto
}

func urlStart(line string) bool {
	scheme, _, ok := strings.Cut(line, "://")
	switch strings.ToLower(scheme) {
	case "http", "https", "ftp":
		return ok
	}
	return false
}

func zoneStatement(line string) bool {
	if len(line) < len("zone") || keyword(line[:len("zone")]) != "zone" {
		return false
	}
	rest := line[len("zone"):]
	return strings.HasPrefix(strings.TrimLeft(rest, " \t"), `"`)
}

// bindBody knows the lines inside a zone statement.
func bindBody(words []string) bool {
	switch keyword(words[0]) {
	case "}", "};", "{":
		return len(words) == 1
	case "type", "file", "notify", "allow-query", "allow-transfer", "database":
		return len(words) > 1 && strings.HasSuffix(words[len(words)-1], ";")
	}
	return false
}

// zoneFile knows directives and records.
func zoneFile(line string, words []string) bool {
	switch {
	case words[0] == "$TTL", words[0] == "$ORIGIN":
		return true
	case strings.ContainsAny(words[0], `"'=:/`), line[0] == '|', isAddress(words[0]):
		return false
	}
	for _, from := range [...]int{0, 1} { // the owner may be inherited
		if len(words) <= from+1 {
			continue
		}
		switch kind, _ := rrType(words[from:]); kind {
		case "SOA", "NS", "CNAME", "A", "AAAA", "TXT":
			return true
		}
	}
	return false
}

// unboundStart knows "server:" and "local-zone:".
func unboundStart(word string) bool {
	key, ok := strings.CutSuffix(word, ":")
	if !ok {
		key, _, ok = strings.Cut(word, `:"`)
	}
	return ok && isKeyword(key) && (isClause(key) || strings.Contains(key, "-") || key == "include" || key == "verbosity")
}

func adblockStart(line string) bool {
	for _, p := range [...]string{"||", "@@", "|", "://"} {
		if strings.HasPrefix(line, p) {
			return true
		}
	}
	return strings.HasSuffix(line, "^")
}

// refuse names what no list begins with.
func refuse(head []byte) error {
	if wide := wideEncoding(head); wide != "" {
		return fmt.Errorf("%w: it looks like %s; save it as UTF-8", ErrEncoding, wide)
	}
	if isMarkup(head) {
		return ErrNotAList
	}
	return nil
}

// wideEncoding knows UTF-16 and UTF-32 by their byte order mark, or by the zeros beside the letters; "" for other texts.
func wideEncoding(head []byte) string {
	if len(head) < 4 {
		return ""
	}
	switch zero := [4]bool{head[0] == 0, head[1] == 0, head[2] == 0, head[3] == 0}; {
	case zero == [4]bool{true, true, false, false}, zero == [4]bool{false, false, true, true}, zero == [4]bool{true, true, true, false}, zero == [4]bool{false, true, true, true}:
		return "UTF-32"
	case head[0] == 0xff && head[1] == 0xfe, head[0] == 0xfe && head[1] == 0xff,
		zero == [4]bool{true, false, true, false}, zero == [4]bool{false, true, false, true}:
		return "UTF-16"
	}
	return ""
}

// isMarkup says whether the first thing in head is an HTML or XML tag: an error page or a portal served in place of a list.
func isMarkup(head []byte) bool {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte(utf8Mark)), " \t\r\n")
	if len(head) < 2 || head[0] != '<' {
		return false
	}
	c := head[1] | 0x20
	return head[1] == '!' || head[1] == '?' || 'a' <= c && c <= 'z'
}
