package listener_test

import (
	"net/netip"
	"testing"
	"time"

	"weir/resolver/listener"
)

// numbered is the i-th of many clients.
func numbered(i int) netip.Prefix {
	return listener.Client(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
}

func TestClient(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"10.0.0.1": "10.0.0.1/32", "::ffff:10.0.0.1": "10.0.0.1/32", "2001:db8:1:2:3::4": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := listener.Client(netip.MustParseAddr(addr)).String(); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
	if listener.Client(netip.Addr{}) != (netip.Prefix{}) {
		t.Error("no address")
	}
}

func TestFairLeavesRoomForNewcomers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ greedy, most int }{{1, 256}, {2, 256}, {5, 256}, {20, 80}, {100, 20}} {
		f := listener.NewFair(2048, 256)
		held := make([]int, c.greedy)
		for range 300 { // all ask in turn, none ever leaves
			for i := range held {
				if f.Enter(numbered(i), 0) {
					held[i]++
				}
			}
		}
		for i, n := range held {
			if n > c.most || n < c.most*3/4 {
				t.Errorf("%d greedy clients: the %dth holds %d", c.greedy, i, n)
			}
		}
		for _, route := range []int{0, 1} {
			if !f.Enter(numbered(1000), route) {
				t.Errorf("%d greedy clients: no room for a newcomer on route %d", c.greedy, route)
			}
			f.Leave(numbered(1000), route)
		}
		for i, n := range held {
			for range n {
				f.Leave(numbered(i), 0)
			}
		}
		if f.Used() != 0 || !f.Enter(numbered(0), 0) {
			t.Errorf("%d greedy clients: %d places were not given back", c.greedy, f.Used())
		}
	}
}

func TestFairLeavesRoomForOtherRoutes(t *testing.T) {
	t.Parallel()
	f := listener.NewFair(100, 100)
	held := 0
	for i := range 1000 { // everybody asks for names of one silent server
		if f.Enter(numbered(i), 0) {
			held++
		}
	}
	if held != 75 || f.Enter(numbered(2000), 0) || !f.Enter(numbered(2000), 1) {
		t.Errorf("%d places held by one route", held)
	}
}

func TestRateAndOnce(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	rate := listener.Rate{PerSecond: 3}
	var once listener.Once
	for _, c := range []struct {
		at         time.Duration
		rate, once int // of 1000 clients, twice each
	}{{0, 3, 256}, {999 * time.Millisecond, 0, 0}, {time.Second, 3, 0}, {time.Minute, 3, 256}} {
		allowed, first := 0, 0
		for i := range 2000 {
			if rate.Allow(now.Add(c.at)) {
				allowed++
			}
			if once.Allow(numbered(i/2), now.Add(c.at)) {
				first++
			}
		}
		if allowed != c.rate || first != c.once {
			t.Errorf("at %v: %d and %d", c.at, allowed, first)
		}
	}
	if (&listener.Rate{}).Allow(now) {
		t.Error("the zero Rate")
	}
}
