package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/elazarl/goproxy"

	"weir/internal/redact"
)

// filters is the dispatcher and filter chain: elazarl/goproxy, of which only ServeHTTP, OnRequest, OnResponse and the CONNECT
// answers Reject and Hijack are used (docs/decisions/0002-goproxy-as-dispatcher.md). Its hooks find the transaction in the
// request's context and call the stages.
func (s *Server) filters() http.Handler {
	p := goproxy.NewProxyHttpServer()
	p.Logger = libraryLog{s.cfg.Log}
	p.KeepAcceptEncoding = true // the request stage has reduced it to what can be inspected
	p.NonproxyHandler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "not a proxy request", http.StatusBadRequest) // not reached: every request gets an absolute URL first
	})
	// Nothing below dials: the round tripper is ours. What would is closed, and reads no environment.
	p.Tr = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, errNoDial }}
	p.CertStore = noSigner{}
	p.ConnectDial = func(string, string) (net.Conn, error) { return nil, errNoDial }
	p.OnRequest().HandleConnectFunc(func(_ string, ctx *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
		t := tunnelOf(ctx.Req.Context())
		if t == nil {
			return nil, ""
		}
		if page := t.admit(ctx.Req); page != nil || t.refused {
			ctx.Resp = page
			return goproxy.RejectConnect, ""
		}
		return &goproxy.ConnectAction{
			Action: goproxy.ConnectHijack,
			Hijack: func(_ *http.Request, client net.Conn, _ *goproxy.ProxyCtx) { t.serve(client) },
		}, ""
	})
	// The last handler denies all: without one, goproxy would open a blind tunnel.
	p.OnRequest().HandleConnectFunc(func(string, *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
		return goproxy.RejectConnect, ""
	})
	p.OnRequest().DoFunc(func(r *http.Request, ctx *goproxy.ProxyCtx) (*http.Request, *http.Response) {
		t := tripOf(r.Context())
		ctx.UserData = t
		ctx.RoundTripper = goproxy.RoundTripperFunc(func(r *http.Request, _ *goproxy.ProxyCtx) (*http.Response, error) {
			return t.roundTrip(r), nil
		})
		return t.request(r)
	})
	p.OnResponse().DoFunc(func(resp *http.Response, ctx *goproxy.ProxyCtx) *http.Response {
		return ctx.UserData.(*trip).response(resp)
	})
	return p
}

// noSigner answers goproxy's requests for certificates, of which there must be none.
type noSigner struct{}

var _ goproxy.CertStorage = noSigner{}

// Fetch implements goproxy.CertStorage.
func (noSigner) Fetch(string, func() (*tls.Certificate, error)) (*tls.Certificate, error) {
	return nil, errNoSigner
}

// libraryLog passes goproxy's messages to the operator's log.
type libraryLog struct{ log *slog.Logger }

var _ goproxy.Logger = libraryLog{}

// Printf implements goproxy.Logger.
func (l libraryLog) Printf(format string, v ...any) {
	l.log.Debug("goproxy", "message", redact.Scrub(fmt.Sprintf(format, v...)))
}
