package intercept

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"weir/internal/inspect"
	"weir/internal/wire/tlshello"
)

// maxFirst is how many first octets are read before they must have been understood: a ClientHello may span records and segments
// (those with post-quantum key shares always do), and 64 KiB is what crypto/tls itself takes.
const maxFirst = tlshello.MaxHello

// maxMethod is longer than every registered HTTP method (IANA HTTP Method Registry: UPDATEREDIRECTREF).
const maxMethod = 24

// First is what a client sent first inside a tunnel.
type First struct {
	Class inspect.First
	Bytes []byte         // all that was read
	Hello *inspect.Hello // with FirstTLS
	// Err is why reading ended before the first bytes were understood; nil at a deadline.
	Err error
}

// Peek reads the first bytes inside a tunnel until they are understood, limit passed, or they grew too long.
func Peek(c net.Conn, limit time.Duration) First {
	if err := c.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return First{Err: fmt.Errorf("peek: %w", err)}
	}
	f := First{}
	var buf [4 << 10]byte
	for {
		n, err := c.Read(buf[:])
		f.Bytes = append(f.Bytes, buf[:n]...)
		class, hello, more := Classify(f.Bytes)
		f.Class, f.Hello = class, hello
		if !more {
			break
		}
		if err != nil || len(f.Bytes) > maxFirst {
			if len(f.Bytes) > 0 {
				f.Class = inspect.FirstOther // a beginning that never became what it seemed
			}
			var timeout net.Error
			if err != nil && (!errors.As(err, &timeout) || !timeout.Timeout()) {
				f.Err = fmt.Errorf("peek: %w", err)
			}
			break
		}
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil && f.Err == nil {
		f.Err = fmt.Errorf("peek: %w", err)
	}
	return f
}

// Classify says what p, the first bytes of a client, begins. more says that p may become what it is not yet; the class is then
// what it is if nothing follows.
func Classify(p []byte) (class inspect.First, hello *inspect.Hello, more bool) {
	if len(p) == 0 {
		return inspect.FirstNone, nil, true
	}
	if p[0] == 0x16 {
		h, _, err := tlshello.Parse(p)
		switch {
		case err == nil:
			return inspect.FirstTLS, describe(h), false
		case errors.Is(err, tlshello.ErrIncomplete):
			return inspect.FirstOther, nil, true
		}
		return inspect.FirstOther, nil, false
	}
	return classifyText(p)
}

// describe puts a ClientHello into the terms of the gate.
func describe(h *tlshello.Hello) *inspect.Hello {
	_, ja3 := h.JA3()
	out := &inspect.Hello{SNI: h.ServerName, ALPN: h.ALPN, JA3: ja3, JA4: h.JA4(), ECH: h.ECHOuter}
	versions := append([]uint16{h.LegacyVersion}, h.Versions...)
	versions = slices.DeleteFunc(versions, tlshello.IsGREASE)
	if len(versions) > 0 {
		out.Version = versionName(slices.Max(versions))
	}
	return out
}

func versionName(v uint16) string {
	if v >= 0x0301 && v <= 0x0304 {
		return fmt.Sprintf("1.%d", v-0x0301)
	}
	return fmt.Sprintf("0x%04x", v)
}

// preface is the begin of an HTTP/2 connection (RFC 9113 section 3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// classifyText tells an HTTP/1 request line and the HTTP/2 preface from the rest.
func classifyText(p []byte) (class inspect.First, hello *inspect.Hello, more bool) {
	if n := min(len(p), len(preface)); string(p[:n]) == preface[:n] && n > 3 {
		if n == len(preface) {
			return inspect.FirstHTTP2, nil, false
		}
		return inspect.FirstOther, nil, true
	}
	line, _, whole := bytes.Cut(p, []byte("\n"))
	method, rest, spaced := bytes.Cut(line, []byte(" "))
	if !isMethod(method) {
		return inspect.FirstOther, nil, false
	}
	target := beginsTarget(string(method), rest)
	if !whole {
		return inspect.FirstOther, nil, (!spaced || target) && len(p) <= 16<<10
	}
	version := line[bytes.LastIndexByte(line, ' ')+1:]
	if spaced && target && bytes.HasPrefix(version, []byte("HTTP/1.")) {
		return inspect.FirstHTTP, nil, false
	}
	return inspect.FirstOther, nil, false
}

// beginsTarget says whether p may be the begin of a request target: a method alone may still be something else ("EHLO"). That of
// CONNECT is an authority.
func beginsTarget(method string, p []byte) bool {
	const scheme = "http"
	if len(p) == 0 || p[0] == '/' || p[0] == '*' || method == "CONNECT" && p[0] != ' ' {
		return true
	}
	n := min(len(p), len(scheme))
	return strings.EqualFold(string(p[:n]), scheme[:n])
}

// isMethod says whether p is, or begins, an HTTP method as they are registered: capitals and dashes.
func isMethod(p []byte) bool {
	return len(p) > 0 && len(p) <= maxMethod && !slices.ContainsFunc(p, func(c byte) bool { return (c < 'A' || c > 'Z') && c != '-' })
}
