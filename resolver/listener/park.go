package listener

import "context"

// place is one query's share of what bounds the queries handled at once.
type place struct {
	free   func() // gives the share to the next query
	parked bool
	stats  *Stats
}

type placeKey struct{}

// Park tells the listener that the handler, which was called with ctx, is about to wait for others: from now on its query does not
// count among the Workers, so that queries that need not wait never stand behind it. Whoever parks must bound by himself how many
// wait. Only the goroutine of the handler may call it; later calls, and those with other contexts, do nothing.
func Park(ctx context.Context) {
	p, ok := ctx.Value(placeKey{}).(*place)
	if !ok || p.parked {
		return
	}
	p.parked = true
	p.stats.Parked.Add(1)
	p.free()
}

// unpark ends the wait and says whether there was one.
func (p *place) unpark() bool {
	if !p.parked {
		return false
	}
	p.parked = false
	p.stats.Parked.Add(-1)
	return true
}

// takeWorker makes room for one more worker of UDP, if there is any.
func (s *Server) takeWorker() bool {
	for {
		n := s.started.Load()
		if n >= int64(s.cfg.Workers) {
			return false
		}
		if s.started.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// worker handles one datagram and then those that come, until the server closes. One that parked goes on only where there still is
// room among the workers.
func (s *Server) worker(j job) {
	p := &place{free: func() { s.started.Add(-1) }, stats: &s.stats}
	ctx := context.WithValue(s.ctx, placeKey{}, p)
	for ok := true; ok; j, ok = <-s.jobs {
		s.work(ctx, j)
		if p.unpark() && !s.takeWorker() {
			return
		}
	}
}
