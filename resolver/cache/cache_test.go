package cache_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/internal/hostname"
	"weir/resolver/answer"
	"weir/resolver/cache"
	"weir/resolver/query"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func key(i int) query.Key {
	return query.Key{Name: hostname.MustParse(fmt.Sprintf("n%d.test", i)), Type: 1, Class: 1}
}

func TestCacheIsBoundedAndExpires(t *testing.T) {
	t.Parallel()
	for _, entries := range []int{1, 100, 1000, 20000} {
		c, err := cache.New(entries)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2*entries + 100 {
			c.Put(key(i), &answer.Answer{TTL: time.Minute}, now)
		}
		if c.Len() > entries+32 || c.Len() < entries {
			t.Errorf("%d entries: %d are kept", entries, c.Len())
		}
		last := key(2*entries + 99)
		if e, ok := c.Get(last, now.Add(59*time.Second)); !ok || e.Age(now.Add(59*time.Second)) != 59 {
			t.Errorf("%d entries: the last one is gone", entries)
		}
		if _, ok := c.Get(last, now.Add(time.Minute)); ok {
			t.Errorf("%d entries: an answer outlived its TTL", entries)
		}
		if c.Purge(); c.Len() != 0 {
			t.Error("purge")
		}
	}
}

func TestWhatIsNotKept(t *testing.T) {
	t.Parallel()
	c, _ := cache.New(10)
	c.Put(key(1), &answer.Answer{}, now)
	c.Put(key(2), &answer.Answer{TTL: time.Minute, Wire: cache.MaxWire + 1}, now)
	if c.Len() != 0 {
		t.Errorf("%d kept", c.Len())
	}
	none, err := cache.New(0)
	none.Put(key(1), &answer.Answer{TTL: time.Minute}, now)
	if _, ok := none.Get(key(1), now); ok || err != nil || none.Len() != 0 {
		t.Error("no entries must keep none")
	}
	none.Purge()
}

func TestFlightJoinsAndEndsForAll(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]error{"fine": nil, "error": errors.New("x"), "panic": cache.ErrPanic} {
		var f cache.Flight
		var all sync.WaitGroup
		release, runs, shared := make(chan struct{}), 0, make(chan bool, 50)
		joined := make(chan struct{}, 50)
		work := func(context.Context) (cache.Result, error) {
			runs++
			<-release
			if errors.Is(fail, cache.ErrPanic) {
				panic("boom")
			}
			return cache.Result{Upstream: "u"}, fail
		}
		for range 50 {
			all.Go(func() {
				joined <- struct{}{}
				r, err := f.Do(context.Background(), context.Background(), key(1), work)
				if !errors.Is(err, fail) {
					t.Errorf("%s: %v", name, err)
				}
				shared <- r.Shared
			})
		}
		for range 50 {
			<-joined
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := f.Do(ctx, context.Background(), key(1), work); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: who gives up must not wait: %v", name, err)
		}
		close(release)
		all.Wait()
		f.Wait()
		if runs < 1 {
			t.Errorf("%s: %d runs", name, runs)
		}
	}
}
