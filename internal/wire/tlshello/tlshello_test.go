package tlshello_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"

	"weir/internal/wire/tlshello"
)

// wire is a net.Conn that records what is written and reads from a buffer.
type wire struct {
	net.Conn
	in  *bytes.Reader
	out bytes.Buffer
}

func (w *wire) Write(p []byte) (int, error) { return w.out.Write(p) }
func (w *wire) Read(p []byte) (int, error)  { return w.in.Read(p) }

// hello makes the first flight of a crypto/tls client.
func hello(conf *tls.Config) []byte {
	w := &wire{in: bytes.NewReader(nil)}
	_ = tls.Client(w, conf).Handshake() // fails: nobody answers
	return w.out.Bytes()
}

// serverView is what a crypto/tls server reads in the same bytes.
func serverView(b []byte) (info *tls.ClientHelloInfo) {
	w := &wire{in: bytes.NewReader(b)}
	_ = tls.Server(w, &tls.Config{GetConfigForClient: func(i *tls.ClientHelloInfo) (*tls.Config, error) {
		info = i
		return nil, io.EOF
	}}).Handshake()
	return info
}

func config(seed uint64) *tls.Config {
	r := rand.New(rand.NewPCG(seed, 1))
	c := &tls.Config{InsecureSkipVerify: true, ServerName: "host.example"} //nolint:gosec // nobody is spoken to
	if r.IntN(4) == 0 {
		c.ServerName = ""
	}
	c.NextProtos = [][]string{nil, {"h2", "http/1.1"}, {"http/1.1"}, {"\x0a\x0a"}}[r.IntN(4)]
	c.MinVersion = tls.VersionTLS12
	c.MaxVersion = []uint16{0, tls.VersionTLS12, tls.VersionTLS13}[r.IntN(3)]
	c.CurvePreferences = [][]tls.CurveID{nil, {tls.X25519}, {tls.CurveP256, tls.X25519}}[r.IntN(3)]
	if r.IntN(2) == 0 {
		c.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_128_CBC_SHA}
	}
	c.SessionTicketsDisabled = r.IntN(2) == 0
	return c
}

func TestAgreesWithCryptoTLS(t *testing.T) {
	for seed := range uint64(60) {
		b := hello(config(seed))
		h, n, err := tlshello.Parse(append(slices.Clone(b), "behind"...))
		info := serverView(b)
		if err != nil || n != len(b) || info == nil {
			t.Fatalf("seed %d: %d of %d bytes, %v", seed, n, len(b), err)
		}
		agree(t, h, info)
		if text, sum := h.JA3(); text != naiveJA3(h) || sum != fmt.Sprintf("%x", md5.Sum([]byte(text))) {
			t.Fatalf("JA3 %s, want %s", text, naiveJA3(h))
		}
		if got, want := h.JA4(), naiveJA4(info); got != want {
			t.Fatalf("JA4 %s, want %s", got, want)
		}
	}
}

func agree(t *testing.T, h *tlshello.Hello, info *tls.ClientHelloInfo) {
	t.Helper()
	var curves, sigs []uint16
	for _, c := range info.SupportedCurves {
		curves = append(curves, uint16(c))
	}
	for _, s := range info.SignatureSchemes {
		sigs = append(sigs, uint16(s))
	}
	got := []any{h.ServerName, h.CipherSuites, h.Extensions, h.ALPN, h.Curves, h.SignatureAlgorithms, h.PointFormats}
	want := []any{info.ServerName, info.CipherSuites, info.Extensions, info.SupportedProtos, curves, sigs, info.SupportedPoints}
	for i := range got {
		if g, w := fmt.Sprint(got[i]), fmt.Sprint(want[i]); g != w {
			t.Fatalf("field %d: %s, crypto/tls %s", i, g, w)
		}
	}
	if h.Versions != nil && !reflect.DeepEqual(h.Versions, info.SupportedVersions) {
		t.Fatalf("versions %v, crypto/tls %v", h.Versions, info.SupportedVersions)
	}
}

// naiveJA3 and naiveJA4 follow the definitions word by word.
func naiveJA3(h *tlshello.Hello) string {
	join := func(v any) string {
		s := strings.Trim(fmt.Sprint(v), "[]")
		return strings.ReplaceAll(s, " ", "-")
	}
	return fmt.Sprintf("%d,%s,%s,%s,%s", h.LegacyVersion, join(h.CipherSuites), join(h.Extensions), join(h.Curves), join(h.PointFormats))
}

func naiveJA4(i *tls.ClientHelloInfo) string {
	version, sni, alpn := "12", "i", "00"
	if slices.Contains(i.SupportedVersions, tls.VersionTLS13) {
		version = "13"
	}
	if i.ServerName != "" {
		sni = "d"
	}
	if len(i.SupportedProtos) > 0 {
		alpn = map[string]string{"h2": "h2", "http/1.1": "h1", "\x0a\x0a": "0a"}[i.SupportedProtos[0]]
	}
	var c, e, s []string
	for _, v := range i.CipherSuites {
		c = append(c, fmt.Sprintf("%04x", v))
	}
	for _, v := range i.Extensions {
		if v != 0 && v != 16 {
			e = append(e, fmt.Sprintf("%04x", v))
		}
	}
	for _, v := range i.SignatureSchemes {
		s = append(s, fmt.Sprintf("%04x", uint16(v)))
	}
	sort.Strings(c)
	sort.Strings(e)
	hash := func(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s)))[:12] }
	return fmt.Sprintf("t%s%s%02d%02d%s_%s_%s", version, sni, len(i.CipherSuites), len(i.Extensions), alpn,
		hash(strings.Join(c, ",")), hash(strings.Join(e, ",")+"_"+strings.Join(s, ",")))
}

// build makes a hello of one record from an extensions block.
func build(exts ...[]byte) []byte {
	block := bytes.Join(exts, nil)
	msg := append([]byte{3, 3}, make([]byte, 32)...)
	msg = append(msg, 0)                                  // session id
	msg = append(msg, 0, 6, 0x0a, 0x0a, 0x13, 2, 0x13, 1) // cipher suites, GREASE first
	msg = append(msg, 1, 0)                               // compression
	msg = binary.BigEndian.AppendUint16(msg, uint16(len(block)))
	msg = append(msg, block...)
	hs := append([]byte{1, 0, byte(len(msg) >> 8), byte(len(msg))}, msg...)
	return records(hs, len(hs))
}

func records(hs []byte, size int) (out []byte) {
	for part := range slices.Chunk(hs, size) {
		out = append(out, 22, 3, 1, byte(len(part)>>8), byte(len(part)))
		out = append(out, part...)
	}
	return out
}

func ext(id uint16, body ...byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, id)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	return append(b, body...)
}

func sni(names ...string) []byte {
	var list []byte
	for _, n := range names {
		list = append(list, 0, 0, byte(len(n)))
		list = append(list, n...)
	}
	return ext(0, append([]byte{0, byte(len(list))}, list...)...)
}

func TestFields(t *testing.T) {
	b := build(ext(0x1a1a), sni("ex_ample.com"), ext(35, 1), ext(0xfe0d, 0, 1), ext(11, 1, 0), ext(41, 9), ext(10, 0, 4, 0x2a, 0x2a, 0, 29))
	h, n, err := tlshello.Parse(b)
	if err != nil || n != len(b) {
		t.Fatal(err)
	}
	if !h.SessionTicket || !h.PSK || !h.ECH || !h.ECHOuter || h.BadServerName || h.ServerName != "ex_ample.com" {
		t.Errorf("%+v", h)
	}
	if text, _ := h.JA3(); text != "771,4866-4865,0-35-65037-11-41-10,29,0" {
		t.Error(text)
	}
	// The hashes are those of "1301,1302" and "000a,000b,0023,0029,fe0d".
	want := fmt.Sprintf("t12d020600_%.12s_%.12s", fmt.Sprintf("%x", sha256.Sum256([]byte("1301,1302"))), fmt.Sprintf("%x", sha256.Sum256([]byte("000a,000b,0023,0029,fe0d"))))
	if h.JA4() != want {
		t.Errorf("%s, want %s", h.JA4(), want)
	}
}

func TestRefused(t *testing.T) {
	good := build(sni("a.example"))
	longRecord := slices.Clone(good)
	longRecord[3] = 0x50
	trailing := slices.Clone(good)
	trailing[8]--
	cases := []struct {
		name string
		in   []byte
		want error
	}{
		{"nothing", nil, tlshello.ErrIncomplete},
		{"http", []byte("GET / HTTP/1.1\r\n"), tlshello.ErrNotTLS},
		{"ssh", []byte("S"), tlshello.ErrNotTLS},
		{"alert", []byte{21, 3, 1, 0, 2}, tlshello.ErrNotTLS},
		{"server hello", []byte{22, 3, 3, 0, 9, 2}, tlshello.ErrNotTLS},
		{"empty record", []byte{22, 3, 3, 0, 0}, tlshello.ErrNotTLS},
		{"long record", longRecord, tlshello.ErrNotTLS},
		{"too large", []byte{22, 3, 3, 0, 9, 1, 1, 0, 0}, tlshello.ErrTooLarge},
		{"many small records", records(append([]byte{1, 0, 0xf0, 0}, make([]byte, 0xf000)...), 3), tlshello.ErrTooLarge},
		{"length too small", trailing, tlshello.ErrMalformed},
		{"duplicate extension", build(ext(99), ext(99)), tlshello.ErrMalformed},
		{"two names", build(sni("a.example", "b.example")), tlshello.ErrMalformed},
		{"empty name", build(sni("")), tlshello.ErrMalformed},
		{"odd curves", build(ext(10, 0, 3, 0, 29, 0)), tlshello.ErrMalformed},
		{"empty alpn", build(ext(16, 0, 1, 0)), tlshello.ErrMalformed},
		{"second record no handshake", append(records(good[5:], 40)[:45], 23, 3, 3, 0, 1, 0), tlshello.ErrMalformed},
	}
	for _, c := range cases {
		if h, n, err := tlshello.Parse(c.in); !errors.Is(err, c.want) || h != nil || n != 0 {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	for name, bad := range map[string]bool{"a.example": false, "a.example.": true, "a b": true, "a\x00b": true, "ä": true, ".a": true} {
		h, _, err := tlshello.Parse(build(sni(name)))
		if err != nil || h.ServerName != name || h.BadServerName != bad {
			t.Errorf("%q: %+v, %v", name, h, err)
		}
	}
}

func TestCutsAndRecords(t *testing.T) {
	b := hello(config(3))
	want, _, err := tlshello.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, 2, 3, 5, 100} {
		in := records(b[5:], size)
		for cut := range in {
			if _, _, err := tlshello.Parse(in[:cut]); !errors.Is(err, tlshello.ErrIncomplete) {
				t.Fatalf("records of %d, first %d bytes: %v", size, cut, err)
			}
		}
		got, n, err := tlshello.Parse(in)
		if err != nil || n != len(in) || !reflect.DeepEqual(got, want) {
			t.Fatalf("records of %d: %+v, %v", size, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for seed := range uint64(6) {
		f.Add(hello(config(seed)), uint16(7))
	}
	f.Add(build(ext(0x1a1a), sni("a.example"), ext(0xfe0d, 0)), uint16(1))
	f.Fuzz(func(t *testing.T, b []byte, cut uint16) {
		h, n, err := tlshello.Parse(b)
		part, _, perr := tlshello.Parse(b[:int(cut)%(len(b)+1)])
		switch {
		case errors.Is(perr, tlshello.ErrIncomplete):
		case perr == nil && !reflect.DeepEqual(part, h):
			t.Fatal("a prefix reads differently")
		case perr != nil && (err == nil || perr.Error() != err.Error()):
			t.Fatalf("prefix: %v, whole: %v", perr, err)
		}
		if err != nil {
			return
		}
		_, _ = h.JA3()
		if s := h.JA4(); len(s) != 36 {
			t.Fatal(s)
		}
		if info := serverView(b[:n]); info != nil {
			agree(t, h, info)
		}
	})
}
