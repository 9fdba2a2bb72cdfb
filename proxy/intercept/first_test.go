package intercept_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/internal/inspect"
	"weir/proxy/intercept"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorded returns the ClientHello that crypto/tls sends.
func recorded(t testing.TB, cfg *tls.Config) []byte {
	t.Helper()
	c := &recorder{}
	_ = tls.Client(c, cfg).Handshake()
	return c.b.Bytes()
}

type recorder struct {
	net.Conn
	b bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error)      { return r.b.Write(p) }
func (r *recorder) Read([]byte) (int, error)         { return 0, errors.New("end") }
func (r *recorder) SetDeadline(time.Time) error      { return nil }
func (r *recorder) SetWriteDeadline(time.Time) error { return nil }
func (r *recorder) Close() error                     { return nil }

func TestClassify(t *testing.T) {
	cases := []struct {
		name, in string
		want     inspect.First
		more     bool
	}{
		{"nothing", "", inspect.FirstNone, true},
		{"http", "GET / HTTP/1.1\r\n", inspect.FirstHTTP, false},
		{"http/1.0 bare lf", "GET / HTTP/1.0\n", inspect.FirstHTTP, false},
		{"absolute", "GET http://a/ HTTP/1.1\r\nHost", inspect.FirstHTTP, false},
		{"odd method", "VERSION-CONTROL /x HTTP/1.1\r\n", inspect.FirstHTTP, false},
		{"half a method", "PO", inspect.FirstOther, true},
		{"half a line", "POST /x", inspect.FirstOther, true},
		{"preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", inspect.FirstHTTP2, false},
		{"half a preface", "PRI * HTTP/2.0\r\n\r\n", inspect.FirstOther, true},
		{"http/0.9", "GET /\r\n", inspect.FirstOther, false},
		{"ssh", "SSH-2.0-OpenSSH_9.2\r\n", inspect.FirstOther, false},
		{"smtp", "EHLO mail.test\r\n", inspect.FirstOther, false},
		{"smtp begins", "EHLO m", inspect.FirstOther, false},
		{"lower case", "get / HTTP/1.1\r\n", inspect.FirstOther, false},
		{"binary", "\x00\x00\x00\x54\xffSMB", inspect.FirstOther, false},
		{"tls record, no hello", "\x16\x03\x01\x00\x04\x02\x00\x00\x00", inspect.FirstOther, false},
	}
	for _, c := range cases {
		if got, _, more := intercept.Classify([]byte(c.in)); got != c.want || more != c.more {
			t.Errorf("%s: %d, more %v", c.name, got, more)
		}
	}
}

func TestPeekOverManySegments(t *testing.T) {
	hello := recorded(t, &tls.Config{ServerName: "name.test", NextProtos: []string{"h2", "http/1.1"}})
	client, server := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, b := range hello {
			_, _ = client.Write([]byte{b})
		}
	}()
	f := intercept.Peek(server, 10*time.Second)
	<-done
	if f.Class != inspect.FirstTLS || f.Hello == nil || f.Hello.SNI != "name.test" || len(f.Hello.ALPN) != 2 || f.Hello.JA4 == "" || f.Err != nil {
		t.Errorf("%+v", f)
	}
	if !bytes.Equal(f.Bytes, hello) {
		t.Error("octets were lost")
	}
	_ = client.Close()
	_ = server.Close()
}

func TestPeekEnds(t *testing.T) {
	client, server := net.Pipe()
	if f := intercept.Peek(server, time.Millisecond); f.Class != inspect.FirstNone || f.Err != nil {
		t.Errorf("silence: %+v", f)
	}
	go func() { _, _ = io.WriteString(client, "\x16\x03\x01\x02\x00\x01"); _ = client.Close() }()
	if f := intercept.Peek(server, 10*time.Second); f.Class != inspect.FirstOther || f.Err == nil || len(f.Bytes) != 6 {
		t.Errorf("half a hello: %+v", f)
	}
	_ = server.Close()
}

// FuzzClassify: more octets never change what was certain, and the answer is the same however they came.
func FuzzClassify(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	f.Add([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	f.Add([]byte("A  HTTP/1.\n")) // no target: was HTTP once its line was whole, and nothing before
	f.Add(recorded(f, &tls.Config{ServerName: "name.test"}))
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 2048 { // every prefix is tried
			return
		}
		want, _, _ := intercept.Classify(in)
		for n := range in {
			if class, _, more := intercept.Classify(in[:n]); !more {
				if class != want {
					t.Fatalf("%d octets: %d, %d octets: %d", n, class, len(in), want)
				}
				return
			}
		}
	})
}
