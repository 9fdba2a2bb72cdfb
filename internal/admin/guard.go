package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// minToken is the least length of a token in octets: 16 octets of base64 carry
// 96 bits, which nobody guesses over a network.
const minToken = 16

// Errors of [Check].
var (
	// ErrOpenListener: an address that is not loopback, and no token.
	ErrOpenListener = errors.New("admin listener that is not on loopback needs a token")
	// ErrToken: a token that is too short, or that no Authorization header can carry.
	ErrToken = errors.New("admin token is unusable")
)

// Check says whether the admin listener may stand at listen with that token
// ("" for none). Anything but a loopback address needs a token, the unspecified
// addresses included. A token has at least 16 octets of the b64token syntax of
// RFC 6750 section 2.1. Errors: [ErrOpenListener], [ErrToken]; they never
// contain the token.
func Check(listen netip.AddrPort, token string) error {
	if !listen.IsValid() {
		return errors.New("check admin listener: no address")
	}
	if token == "" {
		if !listen.Addr().Unmap().IsLoopback() {
			return fmt.Errorf("check admin listener %v: %w", listen, ErrOpenListener)
		}
		return nil
	}
	return checkToken(token)
}

func checkToken(token string) error {
	if len(token) < minToken {
		return fmt.Errorf("%w: %d octets, at least %d are needed", ErrToken, len(token), minToken)
	}
	if i := strings.IndexFunc(strings.TrimRight(token, "="), func(r rune) bool { return !isB64(r) }); i >= 0 {
		return fmt.Errorf("%w: octet %d cannot stand in a bearer token (letters, digits and -._~+/ can, and = at the end)", ErrToken, i+1)
	}
	return nil
}

func isB64(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._~+/", r)
}

// refusal is an answer of the guard; the zero refusal lets the request pass.
type refusal struct {
	status int
	reason string // of the closed set in refusals; a metric label
	text   string // for the body
}

// refusals are the values of the reason label of weir_admin_refused_total.
func refusals() []string {
	return []string{"host", "origin", "fetch_site", "token", "path", "method", "body", "connections"}
}

// guard decides whether a request may be answered at all. Immutable.
type guard struct {
	names  map[string]bool
	addrs  map[netip.Addr]bool
	token  [sha256.Size]byte
	locked bool // a token is asked for
}

// newGuard refuses hosts that are neither names nor addresses: a pattern or a
// port would silently never match.
func newGuard(hosts []string, token string) (*guard, error) {
	g := &guard{names: map[string]bool{"localhost": true}, addrs: map[netip.Addr]bool{}}
	for _, h := range hosts {
		name, addr, ok := parseHost(h)
		if !ok {
			name, addr, ok = parseHost("[" + h + "]") // an IPv6 address without brackets
		}
		if _, _, err := net.SplitHostPort(h); err == nil || !ok {
			return nil, fmt.Errorf("admin host %q: expected a name or an address, without port", h)
		}
		if addr.IsValid() {
			g.addrs[addr] = true
		} else {
			g.names[name] = true
		}
	}
	if token == "" {
		return g, nil
	}
	if err := checkToken(token); err != nil {
		return nil, err
	}
	g.token, g.locked = sha256.Sum256([]byte(token)), true
	return g, nil
}

// check runs before anything else looks at the request. The order matters: a
// page that rebinds its name to us (Host) or sends from elsewhere (Origin,
// Sec-Fetch-Site) must not learn whether a token or a path is right.
func (g *guard) check(r *http.Request) refusal {
	switch {
	case !g.hostOK(r.Host, localAddr(r)):
		return refusal{http.StatusMisdirectedRequest, "host", "this host name is not served here"}
	case !originOK(r.Header["Origin"], r.Host):
		return refusal{http.StatusForbidden, "origin", "requests of other origins are refused"}
	case !siteOK(r.Header["Sec-Fetch-Site"]):
		return refusal{http.StatusForbidden, "fetch_site", "requests of other sites are refused"}
	case g.locked && r.URL.Path != pathHealth && !g.tokenOK(r.Header["Authorization"]):
		return refusal{http.StatusUnauthorized, "token", "a bearer token is needed"}
	}
	return route(r)
}

// route refuses what is not a plain read of one of the three paths.
func route(r *http.Request) refusal {
	switch {
	case r.URL.Path != pathHealth && r.URL.Path != pathReady && r.URL.Path != pathMetrics:
		return refusal{http.StatusNotFound, "path", "not found"}
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return refusal{http.StatusMethodNotAllowed, "method", "only GET and HEAD are served here"}
	case r.ContentLength != 0:
		return refusal{http.StatusRequestEntityTooLarge, "body", "a request here has no body"}
	}
	return refusal{}
}

// hostOK is the defence against DNS rebinding: a page of evil.example whose
// name now resolves to us still sends Host: evil.example. Good are loopback
// literals, localhost, the configured hosts, and the very address that the
// connection came in at: an address cannot be rebound. The port is not
// compared, for port forwarding changes it.
func (g *guard) hostOK(host string, local netip.Addr) bool {
	name, addr, ok := parseHost(host)
	switch {
	case !ok:
		return false
	case !addr.IsValid():
		return g.names[name]
	}
	return addr.IsLoopback() || addr == local || g.addrs[addr]
}

// parseHost splits the value of a Host header (RFC 9112 section 3.2) into a
// lower-case name or an address; a zone, an empty port and anything that is not
// plain ASCII are refused.
func parseHost(s string) (name string, addr netip.Addr, ok bool) {
	host, port, six := s, "", false
	if rest, bracket := strings.CutPrefix(s, "["); bracket {
		host, port, six = strings.Cut(rest, "]")
		if !six {
			return "", netip.Addr{}, false
		}
	} else if i := strings.IndexByte(s, ':'); i >= 0 {
		host, port = s[:i], s[i:]
	}
	if port != "" && !portOK(port) {
		return "", netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(host)
	switch {
	case six:
		return "", addr.Unmap(), err == nil && addr.Is6() && addr.Zone() == ""
	case err == nil && addr.Is4():
		return "", addr, true
	}
	return strings.ToLower(host), netip.Addr{}, host != "" && strings.IndexFunc(host, notHost) < 0
}

// portOK takes ":1" to ":65535" with at most five digits.
func portOK(port string) bool {
	digits, colon := strings.CutPrefix(port, ":")
	if !colon || len(digits) > 5 || strings.Trim(digits, "0123456789") != "" {
		return false
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	return err == nil && n > 0
}

func notHost(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '.' || r == '-' || r == '_')
}

// originOK takes no Origin, or the one that the request itself names
// (RFC 6454 section 5). The listener speaks plain HTTP only.
func originOK(origins []string, host string) bool {
	if len(origins) == 0 {
		return true
	}
	return len(origins) == 1 && strings.EqualFold(origins[0], "http://"+host)
}

// siteOK takes what a program (no header), the address bar (none) or our own
// page (same-origin) sends, by the Fetch Metadata specification section 2.4.
// same-site is another port of this machine: refused like cross-site.
func siteOK(sites []string) bool {
	for _, s := range sites {
		if s != "none" && s != "same-origin" {
			return false
		}
	}
	return true
}

// tokenOK compares digests, so that neither the content nor the length of the
// token shows in the time that it takes.
func (g *guard) tokenOK(values []string) bool {
	if len(values) != 1 {
		return false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	got := sha256.Sum256([]byte(strings.TrimSpace(token)))
	return subtle.ConstantTimeCompare(got[:], g.token[:]) == 1
}

// localAddr is the address at which the connection of r came in.
func localAddr(r *http.Request) netip.Addr {
	a, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return a.AddrPort().Addr().Unmap()
}
