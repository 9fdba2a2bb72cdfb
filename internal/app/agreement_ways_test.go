package app_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/websocket"

	"weir/internal/event"
	"weir/internal/gate"
	"weir/internal/hostname"
	"weir/internal/inspect"
)

// dial connects a client to the proxy.
func (w *world) dial(t *testing.T, client string) *net.TCPConn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(client)}, Timeout: patience}
	c, err := d.DialContext(t.Context(), "tcp", w.live.ProxyAddr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

// send writes octets and reads until the proxy ends the connection, however it does.
func send(t *testing.T, c net.Conn, octets []byte) {
	t.Helper()
	if _, err := c.Write(octets); err != nil {
		t.Logf("write: %v", err) // it may be cut before it took all
	}
	_, _ = io.Copy(io.Discard, c)
}

// proxied sends a raw request to the proxy.
func (w *world) proxied(client string, raw []byte) way {
	return way{"proxy", func(t *testing.T) decision {
		from := len(w.events.Events())
		c := w.dial(t, client)
		send(t, c, raw)
		return decisionOfEvent(w.await(t, from, c.LocalAddr(), event.KindHTTP))
	}}
}

// connected opens a CONNECT and sends raw inside. kinds are those of the event that is asked for, the last one always comes.
func (w *world) connected(authority string, raw []byte, kinds ...event.Kind) way {
	return way{"proxy", func(t *testing.T) decision {
		from := len(w.events.Events())
		c := w.dial(t, adult)
		if tunnel := connect(t, c, authority); tunnel != nil {
			if _, err := tunnel.Write(raw); err != nil {
				t.Fatal(err)
			}
			_ = c.CloseWrite()
			_, _ = io.Copy(io.Discard, tunnel)
		}
		_ = c.Close()
		return decisionOfEvent(w.await(t, from, c.LocalAddr(), kinds...))
	}}
}

// connect returns the tunnel; nil when it was refused.
func connect(t *testing.T, c net.Conn, authority string) net.Conn {
	t.Helper()
	if _, err := fmt.Fprintf(c, "CONNECT %[1]s HTTP/1.1\r\nHost: %[1]s\r\n\r\n", authority); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return nil // closed without a word
	}
	if resp.StatusCode != http.StatusOK {
		_, _ = io.Copy(io.Discard, resp.Body)
		return nil
	}
	return &tunnelled{c, r}
}

type tunnelled struct {
	net.Conn
	r *bufio.Reader
}

func (c *tunnelled) Read(p []byte) (int, error) { return c.r.Read(p) }

// fetched gets a URL through the proxy: inside TLS for https. The decision is that about the request, or about the CONNECT when
// there was no request that anybody could see. protos are those that the client offers inside TLS: HTTP/1.1 when there are none.
func (w *world) fetched(client, method, target string, protos ...string) way {
	u, err := url.Parse(target)
	if err != nil {
		return way{"proxy", func(t *testing.T) decision {
			t.Fatal(err)
			return decision{}
		}}
	}
	if u.Scheme != "https" {
		return w.proxied(client, fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", method, target, u.Host))
	}
	return way{strings.Join(append([]string{"proxy"}, protos...), " "), func(t *testing.T) decision {
		from := len(w.events.Events())
		c := w.dial(t, client)
		if tunnel := connect(t, c, u.Host); tunnel != nil {
			fetchInside(t, tunnel, method, u, protos)
		}
		_ = c.Close()
		return decisionOfEvent(w.await(t, from, c.LocalAddr(), event.KindHTTP, event.KindConnect))
	}}
}

func fetchInside(t *testing.T, tunnel net.Conn, method string, u *url.URL, protos []string) {
	t.Helper()
	host, _, err := net.SplitHostPort(u.Host)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := hostname.ParseHost(host); err == nil && a.IsAddr() {
		host = "127.0.0.1" // an address, so that no name is sent: clients know every spelling
	}
	// Whether the certificate is ours or, in a splice, the origin's is asked elsewhere: here only what is decided counts.
	s := tls.Client(tunnel, &tls.Config{ServerName: host, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, NextProtos: protos})
	if err := s.HandshakeContext(t.Context()); err != nil {
		return // a tunnel that was blocked without a page
	}
	if s.ConnectionState().NegotiatedProtocol == "h2" {
		fetchH2(t, s, method, u)
		return
	}
	send(t, s, fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", method, u.RequestURI(), u.Host))
}

func fetchH2(t *testing.T, s *tls.Conn, method string, u *url.URL) {
	t.Helper()
	tr := &http.Transport{ForceAttemptHTTP2: true, DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return s, nil }}
	defer tr.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), method, u.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := tr.RoundTrip(r)
	if err != nil {
		return // aborted, as decided
	}
	if resp.ProtoMajor != 2 {
		t.Errorf("%s instead of HTTP/2", resp.Proto)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
}

// upgrade is a WebSocket handshake, as it is sent to a proxy.
func (w *world) upgrade(name string) []byte {
	return fmt.Appendf(nil, "GET http://%[1]s/sink HTTP/1.1\r\nHost: %[1]s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: d2VpcndlaXJ3ZWlyd2Vpcg==\r\nOrigin: http://%[1]s\r\n\r\n", w.host(name, false))
}

// upgraded opens a WebSocket without a tunnel and leaves it at once.
func (w *world) upgraded(name string) way {
	return way{"proxy", func(t *testing.T) decision {
		from := len(w.events.Events())
		c := w.dial(t, adult)
		if _, err := c.Write(w.upgrade(name)); err != nil {
			t.Fatal(err)
		}
		if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		return decisionOfEvent(w.await(t, from, c.LocalAddr(), event.KindWebSocket))
	}}
}

// shaken opens a CONNECT, sends a ClientHello for a server name inside and leaves.
func (w *world) shaken(authority, sni string) way {
	return way{"proxy", func(t *testing.T) decision {
		from := len(w.events.Events())
		c := w.dial(t, adult)
		if tunnel := connect(t, c, authority); tunnel != nil {
			s := tls.Client(tunnel, &tls.Config{ServerName: sni, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
			if err := s.HandshakeContext(t.Context()); err != nil {
				t.Logf("handshake: %v", err)
			}
		}
		_ = c.Close()
		return decisionOfEvent(w.await(t, from, c.LocalAddr(), event.KindConnect))
	}}
}

// asked sends a query to the resolver.
func (w *world) asked(client, name string, qtype uint16) way {
	return way{"resolver", func(t *testing.T) decision {
		from := len(w.events.Events())
		d := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(client)}}
		c, err := d.DialContext(t.Context(), "udp", w.live.ResolverAddr())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		packet, err := new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype).Pack()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(packet); err != nil {
			t.Fatal(err)
		}
		return decisionOfEvent(w.await(t, from, c.LocalAddr(), event.KindDNS))
	}}
}

// checked is what `weir check` does.
func (w *world) checked(client, target string) way {
	return way{"check", func(t *testing.T) decision {
		a, err := w.judges[client].Check(time.Now(), target)
		if err != nil {
			t.Fatal(err)
		}
		return decisionOf(a)
	}}
}

// resolved is what `weir check --resolve` does.
func (w *world) resolved(target string) way {
	return way{"check --resolve", func(t *testing.T) decision {
		a, err := w.judges[adult].Resolve(t.Context(), time.Now(), target)
		if err != nil {
			t.Fatal(err)
		}
		return decisionOf(a)
	}}
}

// inspected is what `weir inspect` does.
func (w *world) inspected(raw []byte) way {
	return way{"inspect", func(t *testing.T) decision {
		a, err := w.judges[adult].Inspect(time.Now(), "file", bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		return decisionOf(a)
	}}
}

// gated drives the gate itself, phase by phase: where no command takes a subject alone, as a message in a WebSocket.
func (w *world) gated(do func(t *testing.T, g *gate.Gate, flow *inspect.Flow) *gate.Exchange) way {
	return way{"gate", func(t *testing.T) decision {
		j := w.judges[adult]
		x := do(t, j.Gate(), &inspect.Flow{Client: j.Gate().Policy().Client(netip.MustParseAddr(adult))})
		defer x.Done(time.Now())
		return decisionOf(j.Describe("", x))
	}}
}

// opened takes a CONNECT and its first bytes through the gate.
func (w *world) opened(authority string, o gate.Opening) way {
	return w.gated(func(_ *testing.T, g *gate.Gate, flow *inspect.Flow) *gate.Exchange {
		now := time.Now()
		x := g.Begin(inspect.Tunnel, flow, now)
		if !x.Connect(now, authority).Blocks() {
			x.Tunnel(now, o)
		}
		return x
	})
}

// within takes a request inside an admitted tunnel through the gate.
func (w *world) within(authority, host string) way {
	return w.gated(func(t *testing.T, g *gate.Gate, flow *inspect.Flow) *gate.Exchange {
		target, err := hostname.ParseAuthority(authority, 0)
		if err != nil {
			t.Fatal(err)
		}
		flow.Authorized = target
		x := g.Begin(inspect.HTTP, flow, time.Now())
		x.Request(time.Now(), gate.RequestHead{
			Scheme: "http", Method: "GET", Host: host, URL: &url.URL{Path: "/"}, Proto: "HTTP/1.1", Header: http.Header{}, Target: target,
		})
		return x
	})
}

// messages takes a WebSocket with one message through the gate. path is that of the upgrade request.
func (w *world) messages(authority, path string, phase inspect.Phase, message []byte) way {
	return w.gated(func(t *testing.T, g *gate.Gate, flow *inspect.Flow) *gate.Exchange {
		target, err := hostname.ParseAuthority(authority, 0)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		flow.Authorized = target
		x := g.Begin(inspect.HTTP, flow, now)
		if x.Request(now, gate.RequestHead{
			Scheme: "ws", Method: "GET", Host: authority, URL: &url.URL{Path: path}, Proto: "HTTP/1.1", Header: http.Header{},
			Target: target, WebSocket: true,
		}).Blocks() {
			return x
		}
		x.Response(now, http.StatusSwitchingProtocols, "HTTP/1.1", http.Header{})
		x.Message(now, phase)
		if !x.Data(now, phase, message).Blocks() {
			x.End(now, phase)
		}
		return x
	})
}

// conversed opens a WebSocket inside a tunnel; message, unless it is nil, is sent by the client.
func (w *world) conversed(authority, path string, message []byte) way {
	return way{"proxy", func(t *testing.T) decision {
		from := len(w.events.Events())
		c := w.dial(t, adult)
		if tunnel := connect(t, c, authority); tunnel != nil {
			converse(t, tunnel, authority, path, message)
		}
		_ = c.Close()
		return decisionOfEvent(w.await(t, from, c.LocalAddr(), event.KindWebSocket))
	}}
}

func converse(t *testing.T, tunnel net.Conn, authority, path string, message []byte) {
	t.Helper()
	cfg, err := websocket.NewConfig("ws://"+authority+path, "http://"+authority+"/")
	if err != nil {
		t.Fatal(err)
	}
	s, err := websocket.NewClient(cfg, tunnel)
	if err != nil {
		if !strings.Contains(err.Error(), "bad status") {
			t.Fatal(err)
		}
		return // blocked: a page instead of a 101
	}
	if message == nil {
		_, _ = io.Copy(io.Discard, s)
		return
	}
	if _, err := s.Write(message); err != nil {
		t.Fatal(err)
	}
	_ = s.Close() // says so first
}
