package source

import (
	"fmt"
	"net/netip"
	"slices"
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
	space    space
	hits     []string
	more     int
}

// watcher returns the watch for a source; nil for lists that block nothing. Lists that are part of the program are watched too: they
// cannot know what a config holds dear.
func (c *canaries) watcher(s Source) *watch {
	l := s.List
	blocks := s.MayEnd || l.Action == set.ActionBlock || l.Action == set.ActionByClass && (l.Class == set.ClassBad || l.Class == set.ClassUntrusted)
	if c == nil || !blocks {
		return nil
	}
	return &watch{of: c, may: s.MayBlock, rewrites: l.GrantRewrite, remote: s.remote()}
}

// entry looks at an entry on its way into the Set.
func (w *watch) entry(e format.Entry) {
	if w == nil || !w.blocks(e) {
		return
	}
	if p, ok := set.CanonicalPrefix(e.Prefix); ok {
		e.Prefix = p
	}
	switch {
	case e.Prefix.IsValid():
		w.prefix(e)
	case e.Trigger == set.Server:
		w.server(e)
	case !e.Name.IsZero():
		if w.of.nameHit(e.Name, e.Scope, w.remote) {
			w.look(e, e)
		}
	case e.URL != "":
		w.url(e)
	}
}

// prefix looks at an address or network, whatever it is compared with. One about who asks blocks no canary, but may block for
// everybody.
func (w *watch) prefix(e format.Entry) {
	may := w.may.covers(Canary{Prefix: e.Prefix})
	switch {
	case may:
	case wide(e.Prefix):
		w.hit(e.Line, e.String(), tooWide)
		return
	default:
		if what := w.space.add(e.Prefix); what != "" {
			w.hit(e.Line, e.String(), what)
		}
	}
	if e.Trigger != set.Client && w.of.prefixHit(e.Prefix) {
		w.look(e, e)
	}
}

// server looks at the name of a name server: one of a canary, or of its registrable domain, is as good as the canary. For all names
// there is no such entry; see [watch.skipped].
func (w *watch) server(e format.Entry) {
	if c, ok := w.of.serves(e, w.may, w.remote); ok {
		w.hit(e.Line, e.String(), fmt.Sprintf("name servers of %s (%s)", c, c.Why))
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

// webPorts are those at which a host that is blocked is as good as blocked: http and https (RFC 9110 section 4.2), and DNS, plain and
// over TLS (RFC 1035 section 4.2, RFC 7858), for upstreams.
var webPorts = [...]uint16{80, 443, 53, 853}

// url looks at an entry that covers all of a host, or all at one of its usual ports.
func (w *watch) url(e format.Entry) {
	text, path, _ := strings.Cut(e.URL, "/")
	if path != "" {
		return
	}
	host, err := hostname.ParseAuthority(text, webPorts[0])
	switch {
	case err != nil, !slices.Contains(webPorts[:], host.Port):
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
	return p.Bits() < widest6 && globalUnicast(p)
}

// skipped looks at what the parser would not take since it is too broad for any list: who publishes that means harm, or has
// made a mistake that may not be the only one.
func (w *watch) skipped(d format.Diagnostic) {
	if w == nil {
		return
	}
	switch d.Reason {
	case format.ReasonTooBroad:
		if letsThrough(d.Text) {
			return
		}
		w.hit(d.Line, d.Text, tooWide)
	case format.ReasonPublicSuffix:
		w.suffix(d)
	case format.ReasonPattern, format.ReasonName:
		if everything(d.Text) {
			w.hit(d.Line, d.Text, "everything")
		}
	}
}

// letsThrough says whether a record of a response policy zone passes what it is about (draft-vixie-dnsop-dns-rpz-00 section 3).
func letsThrough(text string) bool {
	text = strings.TrimSuffix(strings.ToLower(text), ".")
	return strings.HasSuffix(text, "cname rpz-passthru") || strings.HasSuffix(text, "cname rpz-tcp-only")
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
