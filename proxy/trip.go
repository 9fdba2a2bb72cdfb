package proxy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"runtime/debug"
	"sync/atomic"
	"time"

	"weir/internal/event"
	"weir/internal/gate"
	"weir/internal/hostname"
	"weir/internal/inspect"
	"weir/internal/policy"
	"weir/internal/redact"
	"weir/internal/verdict"
	"weir/internal/weburl"
	"weir/proxy/blockpage"
	"weir/proxy/session"
	"weir/proxy/upstream"
)

// trip is one request and its response on the way through the stages. The handler makes it, goproxy's hooks find it in the
// request's context. One goroutine owns it; only cut comes from outside.
type trip struct {
	s      *Server
	x      *gate.Exchange
	sess   *session.Session
	w      *writer
	in     *http.Request // as it came
	target hostname.Authority
	scheme string
	wants  upgrade
	unsafe refusal // seen before the filters ran

	up, down *body
	relay    *relay
	socket   atomic.Pointer[relay] // relay, for cut
	page     bool                  // the response is ours
	drop     bool                  // the verdict says: no answer at all
	remove   func()                // from what is live; nil before the request was admitted
	cancel   context.CancelCauseFunc
	wasCut   atomic.Bool
}

// refusal is a safety refusal that the proxy saw itself.
type refusal struct {
	safety  verdict.Safety
	place   verdict.Place
	subject string
}

type tripKey struct{}

func tripOf(ctx context.Context) *trip {
	t, _ := ctx.Value(tripKey{}).(*trip)
	return t
}

// serveRequest takes one request through the filters, whatever happens on the way, and records it.
func (s *Server) serveRequest(w http.ResponseWriter, r *http.Request, sess *session.Session) {
	t := &trip{s: s, sess: sess, w: newWriter(w, r), in: r}
	if sess.Blocked {
		t.x = sess.Tunnel // its event is that of the CONNECT
	} else {
		t.x = s.cfg.Gate.Begin(inspect.HTTP, sess.FlowNow(s.cfg.Gate), time.Now())
	}
	s.stats.Requests.Add(1)
	if t.wants = upgradeOf(r); t.wants == upgradeWebSocket {
		t.w.last = true // what the client sends behind it was not read as HTTP, so no other request follows
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	t.cancel = cancel
	defer cancel(nil)
	defer t.done()
	u := t.aim(r)
	out := r.WithContext(context.WithValue(session.With(ctx, t.x), tripKey{}, t))
	out.URL = u
	s.chain.ServeHTTP(t.w, out)
	t.finish()
}

// serverOf reads the address that upstream connected to out of the event.
func serverOf(x *gate.Exchange) (addr netip.Addr) {
	x.Note(func(e *event.Event) { addr = e.Server.Addr() })
	return addr
}

// finish ends the parts of a trip that outlive the filters.
func (t *trip) finish() {
	if t.relay != nil {
		t.relay.finish(t.w.socket)
	} else if t.wants == upgradeWebSocket && t.w.hijacked != nil {
		_ = t.w.hijacked.Close()
	}
}

// cut ends the trip from outside: a WebSocket with a close frame that says why, everything else with an error.
func (t *trip) cut(v verdict.Verdict) {
	if r := t.socket.Load(); r != nil && v != (verdict.Verdict{}) && t.s.crew.Enter() {
		go func() {
			defer t.s.crew.Leave()
			r.block(v)
		}()
		return
	}
	t.wasCut.Store(true)
	t.cancel(errCut)
	if t.sess.Reset != nil && t.in.ProtoMajor < 2 {
		t.sess.Reset()
	}
}

// done is the one place where a trip ends. A panic costs this transaction and no other. What was cut short is made to look so.
func (t *trip) done() {
	how := recover()
	if how != nil && how != http.ErrAbortHandler {
		t.panicked(how)
	}
	if t.remove != nil {
		t.remove()
	}
	if how != nil && t.relay != nil {
		t.relay.finish(nil)
	}
	abort := t.cutShort(how)
	t.lateFraming()
	if t.w.hijacked != nil {
		_ = t.w.hijacked.Close()
	}
	t.note(abort)
	if !t.sess.Blocked {
		t.x.Done(time.Now())
	}
	if !abort || t.w.hijacked != nil {
		return
	}
	if t.in.ProtoMajor < 2 && t.sess.Reset != nil {
		t.sess.Reset()
	}
	panic(http.ErrAbortHandler)
}

// lateFraming books a violation of framing in a response that was found too late for a page.
func (t *trip) lateFraming() {
	var framing *upstream.FramingError
	if !t.page && errors.As(t.down.failed(), &framing) {
		upstream.Malformed(t.x, framing)
	}
}

// cutShort says whether the client must see that it did not get the whole response; how is what the filters panicked with.
func (t *trip) cutShort(how any) bool {
	if how == http.ErrAbortHandler || t.drop || t.wasCut.Load() {
		return true
	}
	return !t.page && t.down.failed() != nil || how != nil && t.w.status == 0
}

// panicked books a panic and, when nothing was said yet, says so to the client.
func (t *trip) panicked(how any) {
	t.s.stats.Panics.Add(1)
	t.s.cfg.Log.Error("panic in a stage", "event", t.x.ID(), "panic", fmt.Sprint(how), "stack", string(debug.Stack()))
	t.x.Note(func(e *event.Event) { e.Error = "internal error: panic" })
	if t.w.status != 0 || t.w.hijacked != nil {
		t.drop = true
		return
	}
	defer func() {
		if recover() != nil && t.w.status == 0 {
			t.w.WriteHeader(http.StatusBadGateway)
		}
	}()
	page := blockpage.Error(t.in, t.x, &upstream.Error{Source: upstream.SourceInternal, Kind: upstream.KindInternal})
	page.StatusCode = http.StatusBadGateway
	send(t.w, page)
}

// send writes a page of ours past the filters.
func send(w *writer, page *http.Response) {
	clear(w.Header())
	maps.Copy(w.Header(), page.Header)
	w.WriteHeader(page.StatusCode)
	b := &body{src: page.Body}
	p := make([]byte, chunkSize)
	for {
		n, err := b.src.Read(p)
		if _, werr := w.Write(p[:n]); err != nil || werr != nil {
			return
		}
	}
}

// note writes what only the proxy knows into the event.
func (t *trip) note(abort bool) {
	t.x.Note(func(e *event.Event) {
		e.Status = t.w.status
		if t.sess.Blocked { // the event is that of the CONNECT
			return
		}
		if t.sess.Secure {
			e.Intercepted = policy.Intercept.String()
		}
		if t.relay == nil { // a WebSocket has counted itself
			e.Received = t.w.sent
			if t.up != nil {
				e.Sent = t.up.total.Load()
			}
		}
		if abort && e.Aborted == "" && t.w.status != 0 {
			e.Aborted = session.CutReset
			if t.in.ProtoMajor == 2 {
				e.Aborted = "rst-stream"
			}
		}
		if err := t.down.failed(); err != nil && e.Error == "" && !isBlocked(err) {
			e.Error = redact.Error(err)
		}
	})
}

// finishPage makes a page of ours the response.
func (t *trip) finishPage(page *http.Response, v verdict.Verdict) *http.Response {
	t.page = true
	t.w.length = page.ContentLength
	if t.drop = t.drop || blockpage.Drops(v); t.drop {
		panic(http.ErrAbortHandler)
	}
	return page
}

func defaultPort(scheme string) uint16 { return weburl.DefaultPort(scheme) }
