package source

import (
	"fmt"
	"net/netip"
	"strings"

	"weir/blocklists/format"
	"weir/blocklists/set"
	"weir/internal/hostname"
)

// maxHits is how many canaries an error names.
const maxHits = 5

// watch looks at one text for what it must not block. A nil watch sees nothing.
type watch struct {
	of       *canaries
	may      Allowance
	rewrites bool // the list may point names elsewhere
	remote   bool
	hits     []string
	more     int
}

// watcher returns the watch for a source; nil for lists that block nothing and for those that are part of the program.
func (c *canaries) watcher(s Source) *watch {
	l := s.List
	blocks := l.Action == set.ActionBlock || l.Action == set.ActionByClass && (l.Class == set.ClassBad || l.Class == set.ClassUntrusted)
	if c == nil || !blocks || s.Text != "" {
		return nil
	}
	return &watch{of: c, may: s.MayBlock, rewrites: l.GrantRewrite, remote: s.remote()}
}

// entry looks at an entry on its way into the Set.
func (w *watch) entry(e format.Entry) {
	if w == nil || !w.blocks(e) {
		return
	}
	switch {
	case !e.Name.IsZero():
		if w.of.nameHit(e.Name, e.Scope, w.remote) {
			w.look(e, e)
		}
	case e.Prefix.IsValid():
		switch {
		case wide(e.Prefix) && !w.may.covers(Canary{Prefix: e.Prefix}):
			w.hit(e.Line, e.String(), tooWide)
		case w.of.prefixHit(e.Prefix):
			w.look(e, e)
		}
	case e.URL != "":
		w.url(e)
	}
}

const tooWide = "more of the internet than any list may block"

// blocks says whether an entry can keep somebody from something: it lets nothing through, is honoured, and speaks of addresses.
func (w *watch) blocks(e format.Entry) bool {
	switch {
	case e.Exception, e.Cancel, e.Reply == set.ReplyTCPOnly, e.Reply == set.ReplyData && !w.rewrites:
		return false
	}
	return e.Types == "" || e.Types.Has(typeA) || e.Types.Has(typeAAAA)
}

// RFC 1035 section 3.2.2, RFC 3596 section 2.1.
const (
	typeA    = 1
	typeAAAA = 28
)

// url looks at an entry that covers all of a host.
func (w *watch) url(e format.Entry) {
	text, path, _ := strings.Cut(e.URL, "/")
	if path != "" {
		return
	}
	host, err := hostname.ParseHost(strings.Trim(text, "[]"))
	switch {
	case err != nil: // it has a port of its own
	case host.IsAddr():
		p := netip.PrefixFrom(host.Addr, host.Addr.BitLen())
		if w.of.prefixHit(p) {
			w.look(e, format.Entry{Prefix: p})
		}
	case w.of.nameHit(host.Name, set.Exact, w.remote):
		w.look(e, format.Entry{Name: host.Name, Scope: set.Exact})
	}
}

// look finds the canary that as, which is e or what it amounts to, covers.
func (w *watch) look(e, as format.Entry) {
	if c, ok := w.of.covered(as, w.may, w.remote); ok {
		w.hit(e.Line, e.String(), fmt.Sprintf("%s (%s)", c, c.Why))
	}
}

// The widest prefixes of public space that a list may block: no registry gives one organisation more than a /8 of IPv4 (IANA
// IPv4 address space registry) or a /16 of IPv6.
const (
	widest4 = 8
	widest6 = 16
)

// wide says whether a prefix holds more public space than one organisation has.
func wide(p netip.Prefix) bool {
	if p.Addr().Is4() {
		return p.Bits() < widest4 && p.Addr().As4()[0] < 224 // multicast and reserved: RFC 5771, RFC 1112
	}
	return p.Bits() < widest6 && p.Addr().As16()[0]&0xe0 == 0x20 // global unicast, 2000::/3: RFC 4291
}

// skipped looks at what the parser would not take since it is too broad for any list: who publishes that means harm, or has
// made a mistake that may not be the only one.
func (w *watch) skipped(d format.Diagnostic) {
	if w == nil {
		return
	}
	switch d.Reason {
	case format.ReasonTooBroad:
		w.hit(d.Line, d.Text, tooWide)
	case format.ReasonPublicSuffix:
		w.suffix(d)
	case format.ReasonPattern, format.ReasonName:
		if everything(d.Text) {
			w.hit(d.Line, d.Text, "everything")
		}
	}
}

// suffix looks at a public suffix, which never comes into force. Lists hold unimportant ones by mistake.
func (w *watch) suffix(d format.Diagnostic) {
	name, err := hostname.Parse(strings.Trim(d.Text, "."))
	if err != nil || w.of.names[name.String()] == 0 {
		return
	}
	if c, ok := w.of.covered(format.Entry{Name: name}, w.may, w.remote); ok {
		w.hit(d.Line, d.Text, fmt.Sprintf("%s (%s)", c, c.Why))
	}
}

// everything says whether a line of any format means all names.
func everything(line string) bool {
	for _, prefix := range [...]string{"address=/", "local=/", "server=/", "http://", "https://", "||", "|", "-d "} {
		line = strings.TrimPrefix(line, prefix)
	}
	line, _, _ = strings.Cut(line, "/")
	line, _, _ = strings.Cut(line, "$")
	switch strings.TrimRight(line, "^|") {
	case "*", "#", ".", "*.", "*.*":
		return true
	}
	return false
}

func (w *watch) hit(line uint32, text, what string) {
	if len(w.hits) == maxHits {
		w.more++
		return
	}
	w.hits = append(w.hits, fmt.Sprintf("line %d: %s covers %s", line, text, what))
}

// err returns an [ErrCanary] that names entries, lines and canaries; nil when there was no hit.
func (w *watch) err() error {
	if w == nil || len(w.hits) == 0 {
		return nil
	}
	more := ""
	if w.more > 0 {
		more = fmt.Sprintf("; and %d more", w.more)
	}
	return fmt.Errorf("%w: %s%s", ErrCanary, strings.Join(w.hits, "; "), more)
}
