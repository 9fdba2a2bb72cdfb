package proxy

import (
	"errors"
	"io"
	"net/http"
	"time"

	"weir/internal/event"
	"weir/internal/inspect"
	"weir/internal/redact"
	"weir/internal/verdict"
	"weir/proxy/blockpage"
	"weir/proxy/listener"
	"weir/proxy/upstream"
	"weir/proxy/websocket"
)

// roundTrip is stage (5) as the filters see it: a failure becomes a page, so that they and the event run in every case.
func (t *trip) roundTrip(r *http.Request) *http.Response {
	resp, err := t.s.cfg.Upstream.RoundTrip(r)
	if upload := t.up.failed(); upload != nil && err != nil {
		err = upload // the cause; what upstream saw is its consequence
	}
	if err != nil {
		return t.unreached(err)
	}
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return t.switched(resp, r.Header["Sec-Websocket-Extensions"])
	}
	t.down = newBody(t.x, inspect.ResponseData, resp.Body, resp.ContentLength)
	t.down.trailer = func() http.Header {
		stripOurs(resp.Trailer)
		return resp.Trailer
	}
	if bodiless(t.in, resp) {
		t.down.length = -1
	}
	resp.Body = t.down
	return resp
}

// switched wraps the two directions of a WebSocket. Any other switch was not asked for.
func (t *trip) switched(resp *http.Response, offered []string) *http.Response {
	rw, ok := resp.Body.(io.ReadWriteCloser)
	if t.wants != upgradeWebSocket || !ok || !switchesToWebSocket(resp.Header) {
		_ = resp.Body.Close()
		v := t.x.Refuse(time.Now(), verdict.SafetyUpgrade, verdict.PlaceReply, "101")
		return t.finishPage(blockpage.Response(t.in, t.x, v), v)
	}
	t.relay = newRelay(websocket.Wrap(rw, t.x, websocket.Options{
		Extensions: resp.Header["Sec-Websocket-Extensions"], Offered: offered,
	}))
	t.socket.Store(t.relay)
	cut := t.cut
	t.sess.Socket.Store(&cut)
	resp.Body = t.relay
	return resp
}

// unreached makes the page of a failure.
func (t *trip) unreached(err error) *http.Response {
	v := t.x.Verdict()
	if t.up.failed() != nil {
		v = t.bodyFault(err)
	}
	if v.Blocks() {
		var e *upstream.Error
		if !errors.As(err, &e) {
			return t.finishPage(blockpage.Response(t.in, t.x, v), v)
		}
	}
	var e *upstream.Error
	if !errors.As(err, &e) {
		e = clientGone(err)
	}
	if e.Source != upstream.SourceBlocked {
		t.x.Note(func(ev *event.Event) { ev.Error = redact.Error(e) })
	}
	return t.finishPage(blockpage.Error(t.in, t.x, e), v)
}

func clientGone(err error) *upstream.Error {
	return &upstream.Error{Source: upstream.SourceClient, Kind: upstream.KindCanceled, Err: err}
}

func framingOf(err error) *listener.FramingError {
	var f *listener.FramingError
	errors.As(err, &f)
	return f
}

func bodiless(r *http.Request, resp *http.Response) bool {
	return r.Method == http.MethodHead || resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified
}

// response is stage (6): the head through the gate, then as much of the body as is held, before any of it is released.
func (t *trip) response(resp *http.Response) *http.Response {
	t.s.stats.OnResponse.Add(1)
	if t.page {
		return resp
	}
	v := t.x.Response(time.Now(), resp.StatusCode, resp.Proto, resp.Header.Clone())
	if v.Blocks() {
		if t.relay != nil {
			t.relay.finish(nil)
			t.relay = nil
		}
		return t.finishPage(blockpage.Response(t.in, t.x, v), v)
	}
	// An upgrade that a 200 claims, or QUIC that Alt-Svc offers, would lead around this proxy.
	stripHops(resp.Header)
	resp.Header.Del("Alt-Svc")
	stripOurs(resp.Header)
	stripOurs(resp.Trailer)
	resp.Header.Add("Via", "1.1 "+t.s.pseudonym)
	if t.relay != nil {
		t.s.stats.WebSockets.Add(1)
		asUpgrade(resp.Header)
		return resp
	}
	if len(resp.Trailer) > 0 && t.in.ProtoMajor < 2 {
		resp.Header.Del("Content-Length") // HTTP/2 has both; HTTP/1 has trailers in chunked bodies only
	}
	if bodiless(t.in, resp) || immediate(resp.Header) {
		return resp
	}
	return t.held(resp)
}

// held inspects as much of the body as is held before the head is released, so that a page is still possible.
func (t *trip) held(resp *http.Response) *http.Response {
	if v := t.down.hold(t.x.Limits()); v.Blocks() {
		return t.finishPage(blockpage.Response(t.in, t.x, v), v)
	}
	if err := t.down.failed(); err != nil {
		var framing *upstream.FramingError
		if errors.As(err, &framing) {
			return t.unreached(upstream.Malformed(t.x, framing))
		}
		return t.unreached(&upstream.Error{Source: upstream.SourceUpstream, Kind: upstream.KindClosed, Err: err})
	}
	if errors.Is(t.down.err, io.EOF) && resp.ContentLength < 0 && len(resp.Trailer) == 0 {
		t.w.length = int64(len(t.down.buf)) // all of it is here
	}
	return resp
}
