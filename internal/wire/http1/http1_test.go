package http1_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"weir/internal/wire/http1"
)

const host = "Host: a.example\r\n"

func req(s string) string { return strings.ReplaceAll(s, "{H}", host) }

func feed(v *http1.Validator, pieces ...[]byte) *http1.Anomaly {
	for _, p := range pieces {
		n, a := v.Feed(p)
		if a != nil {
			return a
		}
		if n != len(p) {
			panic("bytes left without an anomaly")
		}
	}
	return nil
}

func singles(s string) [][]byte { return slices.Collect(slices.Chunk([]byte(s), 1)) }

func TestRequests(t *testing.T) {
	long := strings.Repeat("x", http1.MaxLine+10)
	fields := strings.Repeat("A: b\r\n", http1.MaxFields+1)
	large := strings.Repeat("A: "+strings.Repeat("x", 8000)+"\r\n", 9)
	cases := []struct {
		name, in string
		want     http1.Kind
	}{
		{"get", "GET / HTTP/1.1\r\n{H}\r\n", 0},
		{"pipelined", "GET / HTTP/1.1\r\n{H}\r\nPOST /x?y HTTP/1.1\r\n{H}Content-Length: 3\r\n\r\nabcGET http://b.example/ HTTP/1.1\r\n{H}\r\n", 0},
		{"http/1.0 without host", "GET / HTTP/1.0\r\n\r\n", 0},
		{"options star", "OPTIONS * HTTP/1.1\r\n{H}\r\n", 0},
		{"connect", "CONNECT a.example:443 HTTP/1.1\r\n{H}\r\n", 0},
		{"ipv6 host", "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", 0},
		{"chunked", "POST / HTTP/1.1\r\n{H}Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\nA;x=\"y\"\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\nGET / HTTP/1.1\r\n{H}\r\n", 0},
		{"both", "POST / HTTP/1.1\r\n{H}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", http1.LengthAndEncoding},
		{"both, other order", "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", http1.LengthAndEncoding},
		{"two equal lengths", "POST / HTTP/1.1\r\n{H}Content-Length: 3\r\ncontent-length: 3\r\n\r\n", http1.DuplicateContentLength},
		{"length sign", "POST / HTTP/1.1\r\n{H}Content-Length: +3\r\n\r\n", http1.BadContentLength},
		{"length list", "POST / HTTP/1.1\r\n{H}Content-Length: 3, 3\r\n\r\n", http1.BadContentLength},
		{"length empty", "POST / HTTP/1.1\r\n{H}Content-Length:\r\n\r\n", http1.BadContentLength},
		{"length overflow", "POST / HTTP/1.1\r\n{H}Content-Length: 9223372036854775808\r\n\r\n", http1.BadContentLength},
		{"te list", "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked, identity\r\n\r\n", http1.BadTransferEncoding},
		{"te xchunked", "POST / HTTP/1.1\r\n{H}Transfer-Encoding: xchunked\r\n\r\n", http1.BadTransferEncoding},
		{"te tab", "POST / HTTP/1.1\r\n{H}Transfer-Encoding:\tchunked\r\n\r\n", http1.BadTransferEncoding},
		{"te vertical tab", "POST / HTTP/1.1\r\n{H}Transfer-Encoding: \vchunked\r\n\r\n", http1.ControlInValue},
		{"te twice", "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", http1.BadTransferEncoding},
		{"te in 1.0", "POST / HTTP/1.0\r\n{H}Transfer-Encoding: chunked\r\n\r\n", http1.TransferEncodingHTTP10},
		{"te space before colon", "POST / HTTP/1.1\r\n{H}Transfer-Encoding : chunked\r\n\r\n", http1.SpaceBeforeColon},
		{"bare lf", "GET / HTTP/1.1\n{H}\r\n", http1.BareLF},
		{"bare lf at the end", "GET / HTTP/1.1\r\n{H}\n", http1.BareLF},
		{"bare cr", "GET / HTTP/1.1\r\nA: b\rc\r\n{H}\r\n", http1.BareCR},
		{"obs-fold", "GET / HTTP/1.1\r\n{H}A: b\r\n c\r\n\r\n", http1.ObsFold},
		{"fold first", "GET / HTTP/1.1\r\n {H}\r\n", http1.ObsFold},
		{"empty name", "GET / HTTP/1.1\r\n{H}: b\r\n\r\n", http1.BadFieldName},
		{"no colon", "GET / HTTP/1.1\r\n{H}foo\r\n\r\n", http1.BadFieldName},
		{"name with nul", "GET / HTTP/1.1\r\n{H}a\x00b: c\r\n\r\n", http1.BadFieldName},
		{"nul in value", "GET / HTTP/1.1\r\n{H}a: b\x00c\r\n\r\n", http1.ControlInValue},
		{"no host", "GET / HTTP/1.1\r\n\r\n", http1.MissingHost},
		{"two hosts", "GET / HTTP/1.1\r\n{H}{H}\r\n", http1.DuplicateHost},
		{"host with user", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", http1.BadHost},
		{"host empty", "GET / HTTP/1.1\r\nHost:\r\n\r\n", http1.BadHost},
		{"host list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", http1.BadHost},
		{"two spaces", "GET  / HTTP/1.1\r\n{H}\r\n", http1.BadRequestLine},
		{"space at the end", "GET / HTTP/1.1 \r\n{H}\r\n", http1.BadRequestLine},
		{"empty line first", "\r\nGET / HTTP/1.1\r\n{H}\r\n", http1.BadRequestLine},
		{"no version", "GET /\r\n{H}\r\n", http1.MissingVersion},
		{"lower-case version", "GET / http/1.1\r\n{H}\r\n", http1.BadVersion},
		{"version 1.2", "GET / HTTP/1.2\r\n{H}\r\n", http1.BadVersion},
		{"bad method", "G(T / HTTP/1.1\r\n{H}\r\n", http1.BadMethod},
		{"control in target", "GET /\x01 HTTP/1.1\r\n{H}\r\n", http1.BadTarget},
		{"relative target", "GET x HTTP/1.1\r\n{H}\r\n", http1.BadTarget},
		{"connect without port", "CONNECT a.example HTTP/1.1\r\n{H}\r\n", http1.BadTarget},
		{"preface", "PRI * HTTP/2.0\r\n\r\n", http1.HTTP2Preface},
		{"chunk prefix", chunked("0x3\r\n"), http1.BadChunkSize},
		{"chunk sign", chunked("+3\r\n"), http1.BadChunkSize},
		{"chunk space", chunked(" 3\r\n"), http1.BadChunkSize},
		{"chunk space behind", chunked("3 \r\n"), http1.BadChunkSize},
		{"chunk empty", chunked("\r\n"), http1.BadChunkSize},
		{"chunk 17 digits", chunked("00000000000000003\r\n"), http1.BadChunkSize},
		{"chunk overflow", chunked("8000000000000000\r\n"), http1.BadChunkSize},
		{"chunk end", chunked("3\r\nabcd\r\n"), http1.BadChunkEnd},
		{"chunk end lf", chunked("3\r\nabc\n0\r\n\r\n"), http1.BadChunkEnd},
		{"chunk line lf", chunked("3\nabc\r\n"), http1.BareLF},
		{"chunk extension long", chunked("3;" + strings.Repeat("x", 257) + "\r\n"), http1.BadChunkExtension},
		{"chunk extension control", chunked("3;\x00\r\n"), http1.BadChunkExtension},
		{"trailer with length", chunked("0\r\nContent-Length: 3\r\n\r\n"), http1.ForbiddenTrailer},
		{"trailer announces host", "POST / HTTP/1.1\r\n{H}Trailer: a, Host\r\n\r\n", http1.ForbiddenTrailer},
		{"long line", "GET /" + long + " HTTP/1.1\r\n{H}\r\n", http1.LineTooLong},
		{"many fields", "GET / HTTP/1.1\r\n{H}" + fields + "\r\n", http1.HeadTooLarge},
		{"large head", "GET / HTTP/1.1\r\n{H}" + large + "\r\n", http1.HeadTooLarge},
		{"second request", "GET / HTTP/1.1\r\n{H}\r\nGET / HTTP/1.1\r\n{H}{H}\r\n", http1.DuplicateHost},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := req(c.in)
			var one, many http1.Validator
			a, b := feed(&one, []byte(in)), feed(&many, singles(in)...)
			check(t, a, c.want)
			check(t, b, c.want)
			if a != nil && *a != *b {
				t.Fatalf("whole: %v, single bytes: %v", a, b)
			}
			if a == nil && (!one.Idle() || one.Close() != nil) {
				t.Fatal("the stream does not end idle")
			}
			_, found := http1.ParseRequest([]byte(in))
			if c.want != 0 && c.name != "second request" && !slices.ContainsFunc(found, func(a http1.Anomaly) bool { return a.Kind == c.want }) {
				t.Fatalf("lenient parse found %v", found)
			}
			if c.want == 0 && len(found) > 0 {
				t.Fatalf("lenient parse found %v", found)
			}
		})
	}
}

func chunked(s string) string {
	return "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n" + s
}

func check(t *testing.T, a *http1.Anomaly, want http1.Kind) {
	t.Helper()
	var got http1.Kind
	if a != nil {
		got = a.Kind
	}
	if got != want {
		t.Fatalf("%v, want %v", got, want)
	}
}

func TestStates(t *testing.T) {
	var v http1.Validator
	steps := []struct {
		in           string
		idle, inBody bool
	}{
		{"", true, false},
		{"POST / HT", false, false},
		{"TP/1.1\r\n" + host + "Content-Length: 2\r\n\r\n", false, true},
		{"a", false, true},
		{"b", true, false},
	}
	for _, s := range steps {
		check(t, feed(&v, []byte(s.in)), 0)
		if v.Idle() != s.idle || v.InBody() != s.inBody {
			t.Fatalf("after %q: idle %v, in body %v", s.in, v.Idle(), v.InBody())
		}
	}
	check(t, feed(&v, []byte("GET / HT")), 0)
	check(t, v.Close(), http1.Truncated)
	v = http1.Validator{}
	v.Detach()
	check(t, feed(&v, []byte("\x81\x00anything")), 0)
	v = http1.Validator{AllowPreface: true}
	check(t, feed(&v, []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00")), 0)
}

func TestResponses(t *testing.T) {
	cases := []struct {
		name    string
		methods string
		in      string
		want    http1.Kind
		left    bool // the stream stays open: until close, or detached
	}{
		{"length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", 0, false},
		{"head", "HEAD GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nHTTP/1.1 304\r\n\r\n", 0, false},
		{"interim", "GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", 0, false},
		{"until close", "GET", "HTTP/1.0 200 OK\r\n\r\nanything", 0, true},
		{"connect", "CONNECT", "HTTP/1.1 200 OK\r\n\r\n\x16\x03", 0, true},
		{"upgrade", "GET", "HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x00", 0, true},
		{"unsolicited", "GET", "HTTP/1.1 204 A\r\n\r\nHTTP/1.1 204 B\r\n\r\n", http1.UnsolicitedResponse, false},
		{"both", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", http1.LengthAndEncoding, false},
		{"length in 204", "GET", "HTTP/1.1 204 A\r\nContent-Length: 3\r\n\r\n", http1.BodyWithoutBodyResponse, false},
		{"status", "GET", "HTTP/1.1 20 OK\r\n\r\n", http1.BadStatusLine, false},
		{"version", "GET", "ICY 200 OK\r\n\r\n", http1.BadVersion, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, pieces := range [][][]byte{{[]byte(c.in)}, singles(c.in)} {
				methods := strings.Fields(c.methods)
				v := http1.NewResponseValidator(func() (string, bool) {
					if len(methods) == 0 {
						return "", false
					}
					m := methods[0]
					methods = methods[1:]
					return m, true
				})
				check(t, feed(v, pieces...), c.want)
				if c.want == 0 && v.Idle() == c.left {
					t.Fatalf("idle: %v", v.Idle())
				}
			}
		})
	}
}

func TestParseRequestIsLenient(t *testing.T) {
	m, found := http1.ParseRequest([]byte("POST /p HTTP/1.1\nHost: a\nHost: b\nX: 1\n 2\nTransfer-Encoding: chunked\nContent-Length: 5\n\n3\nabc\r\n0\nSum: x\n\nrest"))
	if m.Method != "POST" || m.Target != "/p" || len(m.Fields) != 5 || m.Fields[2].Value != "1 2" || string(m.Body) != "abc" || len(m.Trailers) != 1 {
		t.Fatalf("%+v", m)
	}
	var kinds []http1.Kind
	for _, a := range found {
		if !slices.Contains(kinds, a.Kind) {
			kinds = append(kinds, a.Kind)
		}
	}
	want := []http1.Kind{http1.BareLF, http1.DuplicateHost, http1.ObsFold, http1.LengthAndEncoding}
	if !slices.Equal(kinds, want) {
		t.Fatalf("%v, want %v", kinds, want)
	}
	r, found := http1.ParseResponse([]byte("HTTP/1.1 200 OK\r\nServer: x\r\n\r\nbody"))
	if r.Status != 200 || string(r.Body) != "body" || len(found) != 0 {
		t.Fatalf("%+v, %v", r, found)
	}
}

func TestKindNames(t *testing.T) {
	seen := map[string]bool{}
	for k := http1.None; k <= http1.BodyWithoutBodyResponse; k++ {
		if s := k.String(); s == "" || seen[s] {
			t.Errorf("kind %d: %q", k, s)
		} else {
			seen[s] = true
		}
	}
}

// What the validator accepts, net/http reads as the same message; and cuts
// change nothing.
func FuzzRequest(f *testing.F) {
	f.Add([]byte("GET http://b.example/x?y HTTP/1.1\r\n"+host+"\r\n"), uint8(2))
	f.Add([]byte(req(chunked("3\r\nabc\r\n0\r\nA: b\r\n\r\n"))), uint8(3))
	f.Add([]byte("POST / HTTP/1.1\r\n"+host+"Content-Length: 3\r\n\r\nabc"), uint8(1))
	f.Add([]byte("CONNECT [::1]:443 HTTP/1.1\r\n"+host+"\r\n"), uint8(1))
	f.Add([]byte("OPTIONS * HTTP/1.0\r\nTrailer: x\r\n\r\n"), uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, cut uint8) {
		if len(in) > 1<<12 {
			return
		}
		var one, many http1.Validator
		a, b := feed(&one, in), feed(&many, slices.Collect(slices.Chunk(in, int(cut)+1))...)
		if (a == nil) != (b == nil) || a != nil && *a != *b || one.Idle() != many.Idle() || one.Complete() != many.Complete() {
			t.Fatalf("whole %v, cut %v", a, b)
		}
		m, found := http1.ParseRequest(in)
		if a != nil || one.Complete() == 0 {
			return
		}
		if len(found) > 0 {
			t.Fatalf("lenient parse found %v", found)
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(in)))
		if err != nil {
			t.Fatalf("accepted, but net/http says %v", err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatalf("accepted, but net/http says of the body %v", err)
		}
		if r.Method != m.Method || r.RequestURI != m.Target || !bytes.Equal(body, m.Body) || len(r.Trailer) > len(m.Trailers) {
			t.Fatalf("%q: net/http %s %q %q, ours %s %q %q", in, r.Method, r.RequestURI, body, m.Method, m.Target, m.Body)
		}
		if i := slices.IndexFunc(m.Fields, func(f http1.Field) bool { return strings.EqualFold(f.Name, "host") }); i >= 0 && r.URL.Host == "" && r.Host != m.Fields[i].Value {
			t.Fatalf("host %q, ours %q", r.Host, m.Fields[i].Value)
		}
	})
}

func TestPrefaceIsExact(t *testing.T) {
	v := http1.Validator{AllowPreface: true}
	check(t, feed(&v, []byte("PRI /x HTTP/2.0\r\n")), http1.BadVersion)
}
