package set

import (
	"bytes"
	"strings"
)

// All keys stand in one index. A name is its own key; every other kind begins with an octet that no name has, because names are
// printable. Names (of targets and of servers) are hashed label by label from the right, URLs segment by segment from the left,
// each from a start of its own, so that one pass over what is asked gives the hashes of all that may cover it.
const (
	keyServer      = 0x01 // and a name
	keyURL         = 0x02 // and a URL
	keyFingerprint = 0x03 // and a fingerprint
	family4        = 0x04 // and the length of a prefix, and its address
	family6        = 0x06
	asClient       = 0x10 // added to a family: RPZ client-IP
	asServer       = 0x08 // added to a family: RPZ NSIP
	firstPrintable = 0x20
)

// isName says whether a key is the name of a target.
func isName(k []byte) bool { return len(k) > 0 && k[0] >= firstPrintable }

// isAddrKey says whether a key is a prefix, of whatever trigger.
func isAddrKey(k []byte) bool {
	if len(k) == 0 {
		return false
	}
	switch k[0] {
	case family4, family6, asClient | family4, asClient | family6, asServer | family4, asServer | family6:
		return true
	}
	return false
}

// triggerOf says what a key is compared with.
func triggerOf(k []byte) Trigger {
	switch {
	case isName(k):
		return Target
	case k[0] == keyServer, isAddrKey(k) && k[0]&asServer != 0:
		return Server
	case isAddrKey(k) && k[0]&asClient != 0:
		return Client
	}
	return Target
}

// keyOf writes the key of e, whose prefix is canonical, to buf, or returns one of its own.
func keyOf(buf *[addrKeyMax]byte, e *Entry) []byte {
	switch {
	case e.Prefix.IsValid():
		return addrKey(buf, e.Trigger, e.Prefix.Addr(), e.Prefix.Bits())
	case e.URL != "":
		return append([]byte{keyURL}, e.URL...)
	case e.Fingerprint != "":
		return append([]byte{keyFingerprint}, e.Fingerprint...)
	case e.Trigger == Server:
		return append([]byte{keyServer}, e.Name.String()...)
	}
	return octets(e.Name.String())
}

// setKey puts what a key says into e.
func setKey(e *Entry, k []byte, scope Scope) {
	e.Trigger = triggerOf(k)
	switch {
	case isName(k):
		e.Name, e.Scope = nameOf(k), scope
	case isAddrKey(k):
		e.Prefix = prefixOf(k)
	case k[0] == keyServer:
		e.Name, e.Scope = nameOf(k[1:]), scope
	case k[0] == keyURL:
		e.URL = string(k[1:])
	case k[0] == keyFingerprint:
		e.Fingerprint = string(k[1:])
	}
}

// key hashes a stored key.
func (s *seed) key(k []byte) uint64 {
	switch {
	case isName(k):
		return s.name(s.start(), k)
	case len(k) > 0 && k[0] == keyServer:
		return s.name(s.kind(keyServer), k[1:])
	case len(k) > 0 && k[0] == keyURL:
		return s.url(k[1:])
	}
	return s.label(s.start(), k)
}

// kind is where the hash of a kind begins: behind a label that no name has.
func (s *seed) kind(k byte) uint64 { return s.label(s.start(), []byte{k}) }

func (s *seed) name(h uint64, name []byte) uint64 {
	for end := len(name); ; {
		dot := lastDot(name[:end])
		h = s.label(h, name[dot+1:end])
		if dot < 0 {
			return h
		}
		end = dot
	}
}

// url hashes as [Set.LookupURL] walks: segments and slashes in turn, then the query.
func (s *seed) url(url []byte) uint64 {
	h := s.kind(keyURL)
	for start := 0; start < len(url); {
		end := start + segment(url[start:])
		h = s.part(h, url[start:end])
		if end < len(url) && url[end] == '/' {
			h = s.slash(h)
			end++
		} else if end < len(url) {
			return s.part(h, url[end:])
		}
		start = end
	}
	return h
}

// part extends a hash by what stands between slashes, which may be nothing.
func (s *seed) part(h uint64, text []byte) uint64 {
	if len(text) == 0 {
		return h
	}
	return s.label(h, text)
}

func (s *seed) slash(h uint64) uint64 { return s.label(h, []byte{'/'}) }

// segment is how far it is to the next '/' or '?', or to the end.
func segment(b []byte) int {
	for i, c := range b {
		if c == '/' || c == '?' {
			return i
		}
	}
	return len(b)
}

// present says which keys there are, so that look-ups ask only for what may be there.
type present struct {
	labels  uint64 // of targets; bit n: there are names of n labels (63: of 63 or more)
	servers uint64 // of name servers
	prefix  [Server + 1][2]lengths
	urls    urlsPresent
	prints  uint64 // bit 0: there are fingerprints
}

// urlsPresent bounds the look-up of a URL.
type urlsPresent struct {
	ends    uint64 // bit n: there are paths with n slashes that do not end in one (63: with 63 or more), before their query
	below   uint64 // the same for paths that end in a slash
	slashes uint64 // the most slashes of a path
	longest uint64 // octets of the longest URL
	query   uint64 // octets of the longest URL with a query
}

// maxBit is the last bit of the sets of numbers.
const maxBit = 63

// words lists what a file holds of p.
func (p *present) words() []*uint64 {
	out := []*uint64{&p.labels, &p.servers, &p.prints, &p.urls.ends, &p.urls.below, &p.urls.slashes, &p.urls.longest, &p.urls.query}
	for t := range p.prefix {
		for f := range p.prefix[t] {
			for i := range p.prefix[t][f] {
				out = append(out, &p.prefix[t][f][i])
			}
		}
	}
	return out
}

func (p *present) kinds() (k Kinds) {
	for kind, is := range map[Kinds]bool{
		KindName: p.labels != 0, KindServer: p.servers != 0, KindURL: p.urls.longest != 0, KindFingerprint: p.prints != 0,
		KindAddr: p.prefix[Target] != [2]lengths{}, KindClient: p.prefix[Client] != [2]lengths{}, KindServerAddr: p.prefix[Server] != [2]lengths{},
	} {
		if is {
			k |= kind
		}
	}
	return k
}

// add notes a key.
func (p *present) add(k []byte) {
	switch {
	case isName(k):
		p.labels |= 1 << labelBit(k)
	case isAddrKey(k):
		prefix := prefixOf(k)
		p.prefix[triggerOf(k)][family(prefix.Addr())].add(uint8(prefix.Bits()))
	case k[0] == keyServer:
		p.servers |= 1 << labelBit(k[1:])
	case k[0] == keyURL:
		p.urls.add(k[1:])
	case k[0] == keyFingerprint:
		p.prints = 1
	}
}

func labelBit(name []byte) int { return min(bytes.Count(name, []byte{'.'})+1, maxBit) }

func (u *urlsPresent) add(url []byte) {
	path, _, query := strings.Cut(string(url), "?")
	slashes := strings.Count(path, "/")
	u.longest, u.slashes = max(u.longest, uint64(len(url))), max(u.slashes, uint64(slashes))
	switch {
	case query:
		u.query = max(u.query, uint64(len(url)))
	case strings.HasSuffix(path, "/"):
		u.below |= 1 << min(slashes, maxBit)
	default:
		u.ends |= 1 << min(slashes, maxBit)
	}
}
