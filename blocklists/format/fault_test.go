package format_test

import (
	"errors"
	"strings"
	"testing"

	"weir/blocklists/format"
)

// TestFault: the answer of a server that tells of an error is no list.
func TestFault(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"error":"rate limited","url":"https://www.reddit.com/"}`, `{"url":"https://www.reddit.com/","Error":{"code":429}}`,
	} {
		if _, err := entries(strings.NewReader(text), format.Options{}); !errors.Is(err, format.ErrNotAList) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestNoFault: what merely has room for an error is a list.
func TestNoFault(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"error":null,"urls":[{"url":"http://a.example/x"}]}`,
		`{"error":false,"domain":"a.example"}`,
		`{"errors":0,"domain":"a.example"}`,
		`{"message":"ok","data":[{"domain":"a.example"}]}`,
		`{"list":["a.example"],"type":"hostname","name":"error"}`,
		`{"error":"x","domain":"a.example"}` + "\n" + `{"error":"y","domain":"b.example"}`, // one record per line
		`{"errors":["1 of 20 feeds is down"],"domains":[` + strings.Repeat(`{"domain":"a.example"},`, 19) + `{"domain":"b.example"}]}`,
	} {
		sum, err := entries(strings.NewReader(text), format.Options{})
		if err != nil || len(sum) == 0 {
			t.Errorf("%s: %v, %v", text, sum, err)
		}
	}
}
