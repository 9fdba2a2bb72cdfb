package http1_test

import (
	"slices"
	"testing"

	"weir/internal/wire/http1"
)

func TestPiecesEndAtEveryBoundary(t *testing.T) {
	in := []byte(req("POST / HTTP/1.1\r\n{H}Content-Length: 3\r\n\r\nabcPOST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n0\r\n\r\nGET"))
	var v http1.Validator
	var got []string
	for p := in; len(p) > 0; {
		n := v.Piece(p)
		if taken, a := v.Feed(p[:n]); taken != n || a != nil {
			t.Fatal(taken, a)
		}
		got = append(got, string(p[:n]))
		p = p[n:]
	}
	want := []string{
		"POST / HTTP/1.1\r\n", host, "Content-Length: 3\r\n", "\r\n", "abc",
		"POST / HTTP/1.1\r\n", host, "Transfer-Encoding: chunked\r\n", "\r\n", "2\r\n", "xy", "\r\n", "0\r\n", "\r\n", "GET",
	}
	if !slices.Equal(got, want) {
		t.Errorf("pieces %q, want %q", got, want)
	}
}
