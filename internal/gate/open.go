package gate

import (
	"net/netip"
	"time"

	"weir/internal/hostname"
	"weir/internal/inspect"
	"weir/internal/policy"
	"weir/internal/verdict"
)

// Connect judges the authority of a CONNECT request. On Allow or Log the authority is Target().
func (x *Exchange) Connect(now time.Time, authority string) verdict.Verdict {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tx.Now, x.tx.Request.Method, x.tx.Request.Host = now, "CONNECT", authority
	if !x.served() {
		return x.verdict
	}
	target, err := hostname.ParseAuthority(authority, 0)
	if err != nil || target.Port == 0 {
		return x.refuse(verdict.SafetyTarget, verdict.PlaceConnect, authority)
	}
	x.tx.Target = target
	if !x.snap.Port(target.Port, true) {
		return x.refuse(verdict.SafetyPort, verdict.PlaceConnect, target.String())
	}
	q := x.subject(verdict.PlaceConnect)
	if x.admit(&q).Blocks() {
		return x.verdict
	}
	return x.literal(&q)
}

// literal judges the address of a target that is one at once, instead of waiting for the dial.
func (x *Exchange) literal(q *policy.Subject) verdict.Verdict {
	if !q.Literal {
		return x.verdict
	}
	v := x.snap.AdmitAddress(q, &x.trace)
	return x.settle(v, stageOf(v))
}

// Target returns the host and port that were admitted.
func (x *Exchange) Target() hostname.Authority {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.tx.Target
}

// Interception says whether TLS to the target is decrypted. It is asked after Connect allowed.
func (x *Exchange) Interception(now time.Time) policy.Interception {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tx.Now = now
	q := x.subject(verdict.PlaceConnect)
	return x.snap.Interception(&q)
}

// Opening is what is known once the first bytes of a tunnel came.
type Opening struct {
	First inspect.First
	Peek  []byte         // the first bytes, at most 64 are looked at
	Hello *inspect.Hello // nil unless First is FirstTLS
}

// Tunnel judges what a CONNECT tunnel carries: the kind of its first bytes and the names in its ClientHello.
func (x *Exchange) Tunnel(now time.Time, o Opening) verdict.Verdict {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tx.Now, x.tx.First, x.tx.FirstPeek = now, o.First, o.Peek[:min(len(o.Peek), 64)]
	defer func() { x.tx.FirstPeek = nil }()
	if o.Hello != nil {
		x.tx.Flow.Hello = o.Hello
		x.event.SNI, x.event.JA3, x.event.JA4, x.event.ECH = o.Hello.SNI, o.Hello.JA3, o.Hello.JA4, o.Hello.ECH
	}
	x.serverName()
	q := x.subject(verdict.PlaceTunnel)
	if v, ok := x.hello(x.snap, &q, &x.trace); ok {
		x.settle(v, stageOf(v))
	}
	return x.head(inspect.Open)
}

// hello judges the fingerprints of the ClientHello; ok is false when nothing speaks of them.
func (x *Exchange) hello(snap *policy.Snapshot, q *policy.Subject, tr *verdict.Trace) (v verdict.Verdict, ok bool) {
	hello := x.tx.Flow.Hello
	if hello == nil || x.tx.Protocol != inspect.Tunnel {
		return verdict.Verdict{}, false
	}
	q.Place, q.JA3, q.JA4 = verdict.PlaceTunnel, hello.JA3, hello.JA4
	return snap.AdmitHello(q, tr)
}

// serverName judges the SNI when it is not the name that CONNECT was admitted for.
func (x *Exchange) serverName() {
	hello := x.tx.Flow.Hello
	if hello == nil || hello.SNI == "" {
		return
	}
	n, err := hostname.Parse(hello.SNI)
	if err != nil {
		x.refuse(verdict.SafetyTarget, verdict.PlaceSNI, hello.SNI)
		return
	}
	if n == x.tx.Target.Name {
		return
	}
	q := x.subject(verdict.PlaceSNI)
	q.Name, q.Addr, q.Literal, q.AllowedBy, q.Vouched = n, netip.Addr{}, false, 0, false
	a := x.snap.Admit(&q, &x.trace)
	x.settle(a.Verdict, stageOf(a.Verdict))
}

// Address judges an address that the target's name led to, before it is dialled or put into an answer, or that of a name server of the
// asked zone. place says which.
func (x *Exchange) Address(now time.Time, place verdict.Place, addr netip.Addr) verdict.Verdict {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tx.Now = now
	q := x.subject(place)
	q.Addr = addr
	if place == verdict.PlaceServer {
		q.Name = hostname.Name{} // that of the target is not the server's
		return x.server(&q)
	}
	said := x.spoken.Clone()
	v := x.snap.AdmitAddress(&q, &x.trace)
	if place == verdict.PlaceDial && v.Blocks() {
		// Another address of the same name may still do: the caller settles with Unreachable when none does. What lists said of this one settles nothing
		// about that: else whoever owns a zone could keep its name servers from being judged by one more address.
		x.spoken = said
		return v
	}
	x.settle(v, stageOf(v))
	return v
}

// Unreachable settles the verdict of an Address that ended the attempt to dial.
func (x *Exchange) Unreachable(v verdict.Verdict) verdict.Verdict {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.settle(v, stageOf(v))
}

// Again judges a live transaction under the policy now in force: its client, its target and the address it is connected to.
// Findings are not looked at again.
func (x *Exchange) Again(now time.Time, server netip.Addr) verdict.Verdict {
	x.mu.Lock()
	defer x.mu.Unlock()
	snap := x.gate.policy.Load()
	x.tx.Now = now
	q := x.subject(verdict.PlaceConnect)
	q.AllowedBy, q.Vouched, q.Spoken, q.Judged = 0, false, &policy.Spoken{}, nil // what was remembered is of the old policy
	if x.url != "" {
		q.Place = verdict.PlaceURL
	}
	q.Client = snap.Client(q.Client.Addr)
	if !q.Client.Served {
		return verdict.Refuse(verdict.SafetyClient)
	}
	a := snap.Admit(&q, nil)
	q.AllowedBy = a.AllowedBy
	about := q
	if v, ok := x.hello(snap, &about, nil); ok {
		a.Verdict = a.Worse(v)
	}
	if a.Blocks() || !server.IsValid() {
		return a.Verdict
	}
	q.Addr, q.Place, q.AllowedBy = server, verdict.PlaceDial, a.AllowedBy
	v := a.Worse(snap.AdmitAddress(&q, nil))
	x.watched(v)
	return v
}

// watched shows a transaction that lives on to those who want to see it.
func (x *Exchange) watched(v verdict.Verdict) {
	x.tx.Verdict = v
	for _, o := range x.gate.cfg.Observers {
		if w, ok := o.(inspect.Watcher); ok {
			w.Watch(&x.tx)
		}
	}
}
