package gate_test

import (
	"net/http"
	"net/netip"
	"net/url"
	"testing"

	"weir/internal/event"
	"weir/internal/gate"
	"weir/internal/hostname"
	"weir/internal/inspect"
	"weir/internal/verdict"
)

// watcher keeps what an observer is shown.
type watcher struct {
	answered []bool
	names    [][]hostname.Name
	live     []verdict.Action
}

func (w *watcher) Observe(tx *inspect.Transaction) {
	w.answered, w.names = append(w.answered, tx.Answered), append(w.names, tx.Names)
}

func (w *watcher) Watch(tx *inspect.Transaction) { w.live = append(w.live, tx.Verdict.Action) }

var _ inspect.Watcher = (*watcher)(nil)

// shown runs one transaction and returns what observers saw of it.
func shown(t *testing.T, p inspect.Protocol, f func(x *gate.Exchange)) *watcher {
	t.Helper()
	r, w := newRig(t, nil), &watcher{}
	r.Gate = gate.New(gate.Config{Engine: r.engine, Recorder: r.events, Observers: []inspect.Observer{w}})
	r.Swap(snapshot(t, r.engine, nil))
	x := r.Begin(p, r.flow(), now)
	f(x)
	x.Done(now)
	if len(w.answered) != 1 {
		t.Fatalf("shown %d times", len(w.answered))
	}
	return w
}

// TestAnswered: only what the other side gave counts as an answer, not what was asked, refused or made up by us.
func TestAnswered(t *testing.T) {
	t.Parallel()
	query := func(rcode string) func(*gate.Exchange) {
		return func(x *gate.Exchange) {
			x.Query(now, inspect.Question{Name: hostname.MustParse("fine.test"), Type: 1, Class: 1})
			x.Note(func(e *event.Event) { e.DNS = &event.DNS{RCod: rcode} })
		}
	}
	tunnel := func(first inspect.First, intercepted string, received int64, failed string) func(*gate.Exchange) {
		return func(x *gate.Exchange) {
			x.Connect(now, "fine.test:443")
			x.Tunnel(now, gate.Opening{First: first})
			x.Note(func(e *event.Event) { e.Intercepted, e.Received, e.Error = intercepted, received, failed })
		}
	}
	request := func(status int) func(*gate.Exchange) {
		return func(x *gate.Exchange) {
			x.Request(now, gate.RequestHead{Scheme: "http", Method: "GET", Host: "fine.test", URL: &url.URL{Path: "/"}, Proto: "HTTP/1.1", Target: hostname.Authority{Name: hostname.MustParse("fine.test"), Port: 80}})
			if status != 0 {
				x.Response(now, status, "HTTP/1.1", http.Header{})
			}
			x.Note(func(e *event.Event) { e.Status = 502 }) // our own page
		}
	}
	for _, c := range []struct {
		what string
		p    inspect.Protocol
		f    func(*gate.Exchange)
		want bool
	}{
		{"records, or none", inspect.DNS, query("NOERROR"), true},
		{"our own answer", inspect.DNS, func(x *gate.Exchange) {
			query("NOERROR")(x)
			x.Note(func(e *event.Event) { e.DNS.Cache = "local" })
		}, false},
		{"no such name", inspect.DNS, query("NXDOMAIN"), false},
		{"upstream failed", inspect.DNS, query("SERVFAIL"), false},
		{"dropped", inspect.DNS, query(""), false},
		{"response", inspect.HTTP, request(200), true},
		{"error of the server's own", inspect.HTTP, request(500), true},
		{"no connection", inspect.HTTP, request(0), false},
		{"spliced", inspect.Tunnel, tunnel(inspect.FirstTLS, "splice", 9, ""), true},
		{"spliced, and cut in the end", inspect.Tunnel, tunnel(inspect.FirstTLS, "splice", 9, "idle"), true},
		{"spliced, without a word", inspect.Tunnel, tunnel(inspect.FirstTLS, "splice", 0, ""), false},
		{"looked into", inspect.Tunnel, tunnel(inspect.FirstTLS, "intercept", 9, ""), false},
		{"plain HTTP in it", inspect.Tunnel, tunnel(inspect.FirstHTTP, "", 9, ""), false},
		{"another protocol", inspect.Tunnel, tunnel(inspect.FirstOther, "", 9, ""), true},
		{"the server speaks first", inspect.Tunnel, tunnel(inspect.FirstNone, "", 9, ""), true},
	} {
		if got := shown(t, c.p, c.f).answered[0]; got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}

// TestNames: an answer vouches for the names that it went through, not for those that it or the client only mentions.
func TestNames(t *testing.T) {
	t.Parallel()
	w := shown(t, inspect.DNS, func(x *gate.Exchange) {
		x.Query(now, inspect.Question{Name: hostname.MustParse("fine.test"), Type: 1, Class: 1})
		x.Name(now, verdict.PlaceCNAME, hostname.MustParse("edge.test"))
		x.Name(now, verdict.PlaceTarget, hostname.MustParse("mentioned.test"))
		x.Name(now, verdict.PlaceServer, hostname.MustParse("ns.test"))
	})
	if got := w.names[0]; len(got) != 1 || got[0].String() != "edge.test" {
		t.Errorf("%v", got)
	}
	w = shown(t, inspect.DNS, func(x *gate.Exchange) {
		x.Query(now, inspect.Question{Name: hostname.MustParse("fine.test"), Type: 1, Class: 1})
		for range 2 * inspect.MaxNames {
			x.Name(now, verdict.PlaceCNAME, hostname.MustParse("edge.test"))
		}
	})
	if n := len(w.names[0]); n != inspect.MaxNames {
		t.Errorf("%d names", n)
	}
	w = shown(t, inspect.Tunnel, func(x *gate.Exchange) {
		x.Connect(now, "fine.test:443")
		x.Tunnel(now, gate.Opening{First: inspect.FirstTLS, Hello: &inspect.Hello{SNI: "future.test"}})
	})
	if len(w.names[0]) != 0 {
		t.Errorf("a client's word made %v known", w.names[0])
	}
}

// TestWatched: each time that a live transaction is admitted again, those who watch see it; what is cut they do not see.
func TestWatched(t *testing.T) {
	t.Parallel()
	w := shown(t, inspect.Tunnel, func(x *gate.Exchange) {
		x.Connect(now, "fine.test:443")
		x.Again(now, netip.MustParseAddr("93.184.216.34"))
		x.Again(now, netip.MustParseAddr("93.184.216.34"))
	})
	if len(w.live) != 2 || w.live[0] != verdict.Allow {
		t.Errorf("watched: %v", w.live)
	}
	if w = shown(t, inspect.Tunnel, func(x *gate.Exchange) {
		x.Connect(now, "evil.test:443")
		x.Again(now, netip.MustParseAddr("93.184.216.34"))
	}); len(w.live) != 0 {
		t.Errorf("watched what is cut: %v", w.live)
	}
}
