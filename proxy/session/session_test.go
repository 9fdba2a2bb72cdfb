package session_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/internal/gate"
	"weir/internal/inspect"
	"weir/internal/testnet"
	"weir/internal/verdict"
	"weir/proxy/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContextCarries(t *testing.T) {
	x, s := &gate.Exchange{}, &session.Session{}
	ctx := session.With(session.WithSession(context.Background(), s), x)
	if session.Exchange(ctx) != x || session.Of(ctx) != s || session.Exchange(context.Background()) != nil || session.Of(context.Background()) != nil {
		t.Error("context lost something")
	}
}

func TestRegistry(t *testing.T) {
	n := testnet.New(t)
	n.Open(443)
	n.Swap()
	flow := session.Plain(n.Gate, netip.MustParseAddrPort("[::ffff:127.0.0.1]:1000")).Flow
	if flow.Remote.Addr() != netip.MustParseAddr("127.0.0.1") || !flow.Client.Served {
		t.Errorf("flow %+v", flow)
	}
	var r session.Registry
	cuts := map[string]int{}
	for _, name := range []string{"a.test", "b.test"} {
		x := n.Gate.Begin(inspect.Tunnel, flow, time.Now())
		x.Connect(time.Now(), name+":443")
		var remove func()
		remove = r.Add(x, nil, func(v verdict.Verdict) {
			cuts[name]++
			remove()
			x.Done(time.Now())
		})
	}
	n.Swap("a.test")
	for range 2 {
		r.Recheck(time.Now())
	}
	if cuts["a.test"] != 1 || cuts["b.test"] != 0 || r.Len() != 1 {
		t.Errorf("cuts %v, %d live", cuts, r.Len())
	}
	stopped := make(chan struct{})
	close(stopped)
	if r.Wait(stopped) {
		t.Error("nothing is live, it says")
	}
	r.CutAll()
	if !r.Wait(nil) || cuts["b.test"] != 1 {
		t.Errorf("cuts %v", cuts)
	}
}

func TestFlowFollowsThePolicy(t *testing.T) {
	n := testnet.New(t)
	n.Swap()
	s := session.Plain(n.Gate, netip.MustParseAddrPort("127.0.0.1:1"))
	if s.FlowNow(n.Gate) != s.Flow {
		t.Error("another flow without a change")
	}
	n.Config.Clients = nil
	n.Swap()
	if f := s.FlowNow(n.Gate); f == s.Flow || f.Client.Served || !s.Flow.Client.Served {
		t.Error("the flow does not follow the policy")
	}
}

func TestCrew(t *testing.T) {
	var c session.Crew
	if !c.Enter() {
		t.Fatal("closed from the start")
	}
	stopped := make(chan struct{})
	close(stopped)
	if c.Close(stopped) || c.Enter() {
		t.Error("let in, or nobody waited for")
	}
	go c.Leave()
	if !c.Close(nil) {
		t.Error("did not end")
	}
}
