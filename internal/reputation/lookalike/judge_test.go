package lookalike_test

import (
	"testing"
	"time"

	"weir/internal/hostname"
	"weir/internal/reputation/lookalike"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	index := lookalike.New(listed())
	const week, year = 7 * 24 * time.Hour, 365 * 24 * time.Hour
	for _, tt := range []struct {
		why, name      string
		popular, known bool
		age            time.Duration
		convicted      bool
	}{
		{"ASCII skeleton, nothing known", "rnicrosoft.com", false, false, 0, true},
		{"ASCII skeleton, young", "rnicrosoft.com", false, false, week, true},
		{"ASCII skeleton, old", "rnicrosoft.com", false, false, 3 * year, false},
		{"ASCII skeleton, popular itself", "rnicrosoft.com", true, false, week, false},
		{"ASCII skeleton, known here", "rnicrosoft.com", false, true, week, false},
		{"other script, old", "xn--pple-43d.com", false, false, 3 * year, true},
		{"other script, popular itself", "xn--pple-43d.com", true, false, 0, false},
		{"everyday marks, nothing known", "müller.com", false, false, 0, false},
		{"everyday marks, young", "müller.com", false, false, week, true},
		{"a likely slip, nothing known", "micorsoft.com", false, false, 0, true},
		{"an unlikely slip, nothing known", "micrasoft.com", false, false, 0, false},
		{"an unlikely slip, young", "micrasoft.com", false, false, week, true},
		{"an unlikely slip, half a year", "micrasoft.com", false, false, year / 2, false},
		{"a slip, old", "micorsoft.com", false, false, year, false},
		{"a hyphen more, nothing known", "face-book.com", false, false, 0, false},
		{"another first letter, young", "netfliz.com", false, false, week, true},
		{"embedded, nothing known", "paypal.com.evil.example", false, false, 0, true},
		{"embedded below a popular CDN", "paypal.com.edgekey.example", true, false, 0, false},
		{"log-in words, nothing known", "paypal-login.com", false, false, 0, true},
		{"short and real", "tsa.gov", false, false, week, false},
		{"short and real", "abc.com", false, false, week, false},
		{"short and real", "huber.com", false, false, week, false},
		{"short and real", "appl.com", false, false, week, false},
		{"another suffix", "google.shop", false, false, week, false},
	} {
		t.Run(tt.why+" "+tt.name, func(t *testing.T) {
			t.Parallel()
			s, _ := index.Find(hostname.MustParse(tt.name))
			if got := lookalike.Judge(s, tt.popular, tt.age, tt.known); got != tt.convicted {
				t.Errorf("Judge(%v) = %t", s, got)
			}
		})
	}
	if lookalike.Judge(lookalike.Suspicion{Score: 100}, false, week, false) {
		t.Error("a suspicion of no kind convicts")
	}
}
