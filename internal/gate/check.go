package gate

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"weir/internal/hostname"
	"weir/internal/inspect"
	"weir/internal/policy"
	"weir/internal/verdict"
	"weir/internal/weburl"
)

// Check takes one target through the phases that need no network, as the data path would: an https URL through CONNECT,
// ClientHello and request, an http URL or an address through the request, a name through a DNS query of type A. The Exchange
// returned is the one that decided; the caller calls Done. An error means that the target is none of these.
func (g *Gate) Check(now time.Time, client netip.Addr, target string) (*Exchange, error) {
	flow := &inspect.Flow{Client: g.Policy().Client(client), Transport: "tcp"}
	if strings.Contains(target, "://") {
		return g.checkURL(now, flow, target)
	}
	host, err := hostname.ParseAuthority(target, 0)
	if err != nil {
		return nil, fmt.Errorf("target %q: not a URL, name or address: %w", target, err)
	}
	if host.IsAddr() || host.Port != 0 {
		scheme := "http://"
		if p := g.Policy(); p.Port(host.Port, true) && !p.Port(host.Port, false) { // what CONNECT names
			scheme = "https://"
		}
		return g.checkURL(now, flow, scheme+host.String()+"/")
	}
	flow.Transport = "udp"
	x := g.Begin(inspect.DNS, flow, now)
	x.Query(now, inspect.Question{Name: host.Name, Type: 1, Class: 1})
	return x, nil
}

func (g *Gate) checkURL(now time.Time, flow *inspect.Flow, target string) (*Exchange, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("target %q: %w", target, err)
	}
	scheme := strings.ToLower(u.Scheme)
	switch scheme {
	case "http", "https", "ws", "wss":
	default:
		return nil, fmt.Errorf("target %q: scheme %q is not http, https, ws or wss", target, u.Scheme)
	}
	host, err := hostname.ParseAuthority(u.Host, weburl.DefaultPort(scheme))
	if err != nil {
		return nil, fmt.Errorf("target %q: %w", target, err)
	}
	if scheme == "https" || scheme == "wss" {
		tunnel := g.Begin(inspect.Tunnel, flow, now)
		hello := &inspect.Hello{SNI: host.Name.String()}
		if tunnel.Connect(now, host.String()).Blocks() || tunnel.Tunnel(now, Opening{First: inspect.FirstTLS, Hello: hello}).Blocks() ||
			tunnel.Interception(now) == policy.Splice {
			return tunnel, nil
		}
		flow.Authorized = host
	}
	x := g.Begin(inspect.HTTP, flow, now)
	x.Request(now, RequestHead{
		Scheme: scheme, Method: "GET", Host: u.Host, URL: u, Proto: "HTTP/1.1", Header: http.Header{}, Target: host,
		WebSocket: strings.HasPrefix(scheme, "ws"),
	})
	return x, nil
}

// Content begins a transaction about content that came without a request, such as a file: it is admitted, and only what speaks
// about a response does: rules that ask for a content type, detectors and limits. status and proto are those of a response, zero
// for a file. Data and End with ResponseData, then Done, follow.
func (g *Gate) Content(now time.Time, client netip.Addr, status int, proto string, header http.Header) *Exchange {
	x := g.Begin(inspect.HTTP, &inspect.Flow{Client: g.Policy().Client(client)}, now)
	x.mu.Lock()
	x.settle(verdict.Verdict{Action: verdict.Allow, Cause: verdict.CauseDefault, Class: verdict.ClassUnknown}, verdict.StageDefault)
	x.mu.Unlock()
	x.Response(now, status, proto, header)
	return x
}
