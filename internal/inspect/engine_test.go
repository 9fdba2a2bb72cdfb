package inspect_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"weir/internal/inspect"
	"weir/internal/verdict"
)

// needle is a detector that finds a word in heads and bodies.
type needle struct {
	name, word string
	panics     bool
}

func (n needle) Info() inspect.Info {
	return inspect.Info{Name: n.name, Default: verdict.Block, Severity: inspect.High}
}

func (n needle) Head(tx *inspect.Transaction, _ inspect.Phase, report inspect.Report) {
	if n.panics {
		panic("head")
	}
	if strings.Contains(tx.Request.URL, n.word) {
		report(inspect.Match{Detail: n.word})
	}
}

func (n needle) Stream(_ *inspect.Transaction, l inspect.Layer, report inspect.Report) inspect.Stream {
	return &needleStream{needle: n, report: report}
}

type needleStream struct {
	needle
	report inspect.Report
	seen   []byte
	done   bool
}

func (s *needleStream) Write(p []byte) {
	if s.panics {
		panic("stream")
	}
	s.seen = append(s.seen, p...)
	if i := bytes.Index(s.seen, []byte(s.word)); i >= 0 && !s.done {
		s.done = true
		s.report(inspect.Match{Offset: int64(i), Detail: s.word})
	}
}

func (s *needleStream) Close() {}

const word = "a needle that is long enough to be found in base64"

func zip(p []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(p)
	_ = w.Close()
	return b.Bytes()
}

func scan(t *testing.T, e *inspect.Engine, c inspect.Content, lim inspect.Limits, pieces ...[]byte) (*inspect.Transaction, *inspect.Scan) {
	t.Helper()
	tx := &inspect.Transaction{}
	s := e.Scan(tx, c, lim, nil)
	for _, p := range pieces {
		s.Write(p)
	}
	s.Close()
	return tx, s
}

func cases() map[string]struct {
	codings []string
	body    []byte
	path    string
} {
	plain := []byte("x" + word + "y")
	b64 := base64.StdEncoding.EncodeToString(plain)
	return map[string]struct {
		codings []string
		body    []byte
		path    string
	}{
		"plain":               {nil, plain, ""},
		"gzip coding":         {[]string{"gzip"}, zip(plain), "gzip"},
		"gzip twice":          {[]string{"gzip", "gzip"}, zip(zip(plain)), "gzip > gzip"},
		"gzip file":           {nil, zip(plain), "gzip"},
		"gzip file in gzip":   {[]string{"gzip"}, zip(zip(plain)), "gzip > gzip"},
		"base64 in JSON":      {nil, []byte(`{"data":"` + b64 + `"}`), "base64"},
		"hex":                 {nil, []byte("<" + hex.EncodeToString(plain) + ">"), "hex"},
		"base64 of gzip":      {nil, []byte(`"` + base64.StdEncoding.EncodeToString(zip(plain)) + `"`), "base64 > gzip"},
		"base64 of base64":    {nil, []byte(`"` + base64.StdEncoding.EncodeToString([]byte(`"`+b64+`"`)) + `"`), "base64 > base64"},
		"lie: coding is none": {[]string{"gzip"}, plain, ""},
		"lie: unknown coding": {[]string{"rot13"}, plain, ""},
	}
}

func TestLayersAtEveryCut(t *testing.T) {
	t.Parallel()
	e := inspect.NewEngine([]inspect.Detector{needle{name: "needle", word: word}}, nil)
	for name, c := range cases() {
		content := inspect.Content{Phase: inspect.ResponseData, Codings: c.codings}
		for cut := range len(c.body) + 1 {
			tx, _ := scan(t, e, content, inspect.Limits{}, c.body[:cut], c.body[cut:])
			if !has(tx, c.path) {
				t.Fatalf("%s cut at %d: %+v, want path %q", name, cut, tx.Matches, c.path)
			}
		}
		var single [][]byte
		for i := range c.body {
			single = append(single, c.body[i:i+1])
		}
		if tx, _ := scan(t, e, content, inspect.Limits{}, single...); !has(tx, c.path) {
			t.Errorf("%s in single bytes: %+v", name, tx.Matches)
		}
	}
}

func has(tx *inspect.Transaction, path string) bool {
	for _, m := range tx.Matches {
		if m.Path == path && m.Detector == 1 {
			return true
		}
	}
	return false
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	e := inspect.NewEngine([]inspect.Detector{needle{name: "needle", word: word}}, nil)
	bomb := zip(make([]byte, 12<<20))
	deep := []byte(word)
	for range 6 {
		deep = zip(deep)
	}
	for _, c := range []struct {
		name    string
		content inspect.Content
		limits  inspect.Limits
		body    []byte
		want    inspect.Outcome
	}{
		{"complete", inspect.Content{}, inspect.Limits{}, []byte("x"), inspect.Complete},
		{"empty", inspect.Content{Codings: []string{"gzip"}}, inspect.Limits{}, nil, inspect.Complete},
		{"size", inspect.Content{}, inspect.Limits{MaxBody: 10}, []byte("12345678901"), inspect.LimitSize},
		{"message size", inspect.Content{Message: true}, inspect.Limits{MaxMessage: 4}, []byte("12345"), inspect.LimitSize},
		{"ratio", inspect.Content{Codings: []string{"gzip"}}, inspect.Limits{MaxRatio: 10}, bomb, inspect.LimitRatio},
		{"ratio of an archive", inspect.Content{}, inspect.Limits{MaxRatio: 10}, bomb, inspect.LimitSize},
		{"depth of codings", inspect.Content{Codings: strings.Split("gzip,gzip,gzip,gzip,gzip", ",")}, inspect.Limits{}, deep, inspect.LimitDepth},
		{"depth of files", inspect.Content{}, inspect.Limits{}, deep, inspect.LimitDepth},
		{"broken", inspect.Content{Codings: []string{"gzip"}}, inspect.Limits{}, []byte("not gzip at all"), inspect.Failed},
		{"truncated", inspect.Content{Codings: []string{"gzip"}}, inspect.Limits{}, zip([]byte(word))[:20], inspect.Failed},
		{"unknown", inspect.Content{Codings: []string{"compress"}}, inspect.Limits{}, []byte("x"), inspect.Failed},
	} {
		if _, s := scan(t, e, c.content, c.limits, c.body); s.Outcome() != c.want {
			t.Errorf("%s: %v, want %v", c.name, s.Outcome(), c.want)
		}
	}
}

func TestTimeCap(t *testing.T) {
	t.Parallel()
	at := time.Unix(0, 0)
	clock := func() time.Time { at = at.Add(time.Second); return at }
	e := inspect.NewEngine([]inspect.Detector{needle{name: "needle", word: word}}, clock)
	_, s := scan(t, e, inspect.Content{}, inspect.Limits{MaxTime: 2500 * time.Millisecond}, []byte("a"), []byte("b"), []byte("c"), []byte(word))
	if s.Outcome() != inspect.OutOfTime || !s.Stopped() {
		t.Errorf("outcome %v", s.Outcome())
	}
}

func TestPanicsAreContained(t *testing.T) {
	t.Parallel()
	e := inspect.NewEngine([]inspect.Detector{needle{name: "bad", panics: true}, needle{name: "good", word: "x"}}, nil)
	tx := &inspect.Transaction{Request: inspect.Head{URL: "x"}}
	if o := e.Head(tx, inspect.Request, nil); o != inspect.Panicked || len(tx.Matches) != 1 {
		t.Errorf("head: %v, %d matches: the other detectors must still speak", o, len(tx.Matches))
	}
	if _, s := scan(t, e, inspect.Content{}, inspect.Limits{}, []byte("x")); s.Outcome() != inspect.Panicked {
		t.Errorf("body: %v", s.Outcome())
	}
}

func TestMatchesAreBounded(t *testing.T) {
	t.Parallel()
	e := inspect.NewEngine([]inspect.Detector{needle{name: "n", word: word}}, nil)
	one := `"` + base64.StdEncoding.EncodeToString([]byte(word+"\x00")) + `" `
	tx, _ := scan(t, e, inspect.Content{}, inspect.Limits{}, []byte(strings.Repeat(one, 3*inspect.MaxMatches)))
	if len(tx.Matches) != inspect.MaxMatches || tx.Dropped != 2*inspect.MaxMatches {
		t.Errorf("%d matches, %d dropped", len(tx.Matches), tx.Dropped)
	}
}

// TestEveryFindingIsJudged: findings beyond those that are kept are judged all the same, and a stricter one is kept.
func TestEveryFindingIsJudged(t *testing.T) {
	t.Parallel()
	e := inspect.NewEngine([]inspect.Detector{needle{name: "n", word: word}, needle{name: "late", word: "the last word of all of them"}}, nil)
	judged := 0
	tx := &inspect.Transaction{Judge: func(m *inspect.Match) verdict.Verdict {
		judged++
		if m.Detector == 2 {
			return verdict.Verdict{Action: verdict.Block}
		}
		return verdict.Verdict{Action: verdict.Log}
	}}
	s := e.Scan(tx, inspect.Content{}, inspect.Limits{}, nil)
	one := `"` + base64.StdEncoding.EncodeToString([]byte(word+"\x00")) + `" `
	s.Write([]byte(strings.Repeat(one, 3*inspect.MaxMatches)))
	s.Write([]byte("the last word of all of them"))
	s.Close()
	if judged != 3*inspect.MaxMatches+1 || len(tx.Matches) != inspect.MaxMatches || tx.Matches[0].Detector != 2 {
		t.Errorf("%d judged, %d kept, the first by detector %d", judged, len(tx.Matches), tx.Matches[0].Detector)
	}
}

func TestOutcomesAreAllKept(t *testing.T) {
	t.Parallel()
	e := inspect.NewEngine([]inspect.Detector{needle{name: "n", word: word}}, nil)
	deep := []byte(word)
	for range 6 {
		deep = zip(deep)
	}
	broken := append(zip(deep)[:40], "this is no gzip any more"...)
	_, s := scan(t, e, inspect.Content{Codings: []string{"gzip"}}, inspect.Limits{MaxDepth: 1}, zip(zip(zip([]byte(word)))), broken)
	if !s.Outcomes().Has(inspect.LimitDepth) || !s.Outcomes().Has(inspect.Failed) {
		t.Errorf("outcomes %b", s.Outcomes())
	}
}

func TestOffDetectorsDoNotRun(t *testing.T) {
	t.Parallel()
	e := inspect.NewEngine([]inspect.Detector{needle{name: "n", word: "x"}}, nil)
	tx := &inspect.Transaction{Request: inspect.Head{URL: "x"}}
	off := func(uint16) bool { return true }
	e.Head(tx, inspect.Request, off)
	s := e.Scan(tx, inspect.Content{}, inspect.Limits{}, off)
	s.Write([]byte("x"))
	s.Close()
	if len(tx.Matches) != 0 {
		t.Errorf("%+v", tx.Matches)
	}
}

// FuzzCuts: findings and outcome do not depend on how the bytes were cut.
func FuzzCuts(f *testing.F) {
	for _, c := range cases() {
		f.Add(c.body, uint16(len(c.body)/2), len(c.codings) > 0)
	}
	e := inspect.NewEngine([]inspect.Detector{needle{name: "needle", word: "needle"}}, nil)
	f.Fuzz(func(t *testing.T, body []byte, at uint16, coded bool) {
		var c inspect.Content
		if coded {
			c.Codings = []string{"gzip"}
		}
		lim := inspect.Limits{MaxBody: 1 << 16, MaxRatio: 50}
		whole, ws := scan(t, e, c, lim, body)
		cut := int(at) % (len(body) + 1)
		parts, ps := scan(t, e, c, lim, body[:cut], body[cut:])
		if ws.Outcome() != ps.Outcome() || ws.Outcome() == inspect.Complete && len(whole.Matches) != len(parts.Matches) {
			t.Fatalf("cut at %d: %v with %d matches, whole: %v with %d", cut, ps.Outcome(), len(parts.Matches), ws.Outcome(), len(whole.Matches))
		}
	})
}
