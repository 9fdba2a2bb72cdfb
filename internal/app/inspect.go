package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"weir/internal/gate"
	"weir/internal/hostname"
	"weir/internal/inspect"
	"weir/internal/verdict"
	"weir/internal/weburl"
	"weir/internal/wire/http1"
	"weir/proxy/listener"
)

const (
	// sniffLen is how much of a file is looked at to see whether it is a raw HTTP message: a request line fits.
	sniffLen = 16 << 10
	// maxMessage bounds a raw HTTP message, which is parsed in memory; other files stream.
	maxMessage = 256 << 20
)

// ErrMessageSize reports a raw HTTP message of more than 256 MiB.
var ErrMessageSize = errors.New("raw HTTP message longer than 256 MiB")

var (
	// A request line need not be a good one: a method that is none is for the gate to see.
	requestLine = regexp.MustCompile(`\A[!-~]{1,32}[ \t]+[^\r\n]*[ \t]HTTP/\d`)
	statusLine  = regexp.MustCompile(`\AHTTP/1\.[01] \d\d\d`)
)

// Inspect runs a raw HTTP message, or any other file as a body of unknown type, through the gate. target names it in the answer.
func (j *Judge) Inspect(now time.Time, target string, r io.Reader) (Answer, error) {
	head := make([]byte, sniffLen)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return Answer{}, fmt.Errorf("%s: %w", target, err)
	}
	head = head[:n]
	x, err := j.inspect(now, head, io.MultiReader(bytes.NewReader(head), r))
	if err != nil {
		return Answer{}, fmt.Errorf("%s: %w", target, err)
	}
	defer x.Done(now)
	return j.answer(target, x), nil
}

func (j *Judge) inspect(now time.Time, head []byte, r io.Reader) (*gate.Exchange, error) {
	request, response := requestLine.Match(head), statusLine.Match(head)
	if !request && !response {
		x := j.core.gate.Content(now, j.client, 0, "", http.Header{})
		return x, feed(now, x, inspect.ResponseData, r)
	}
	raw, err := io.ReadAll(io.LimitReader(r, maxMessage+1))
	switch {
	case err != nil:
		return nil, err
	case len(raw) > maxMessage:
		return nil, ErrMessageSize
	case request:
		return j.request(now, raw)
	}
	m, _ := http1.ParseResponse(raw)
	x := j.core.gate.Content(now, j.client, m.Status, m.Version, header(m.Fields))
	if x.Verdict().Blocks() {
		return x, nil
	}
	return x, feed(now, x, inspect.ResponseData, bytes.NewReader(m.Body))
}

// request takes a raw request through the phases of one sent to the proxy. A violation of framing in its head ends it there, one
// in its body when the octets before it were inspected.
func (j *Judge) request(now time.Time, raw []byte) (*gate.Exchange, error) {
	violation, inHead := listener.CheckRequest(raw)
	flow := &inspect.Flow{Client: j.core.gate.Policy().Client(j.client)}
	if violation != nil && inHead {
		x := j.core.gate.Begin(inspect.HTTP, flow, now)
		x.Malformed(now, []inspect.Anomaly{{Kind: violation.Kind.String(), Offset: violation.Offset}})
		return x, nil
	}
	if violation != nil {
		raw = raw[:violation.Offset]
	}
	m, _ := http1.ParseRequest(raw)
	if m.Method == http.MethodConnect {
		x := j.core.gate.Begin(inspect.Tunnel, flow, now)
		x.Connect(now, m.Target)
		return x, nil
	}
	x := j.core.gate.Begin(inspect.HTTP, flow, now)
	if x.Request(now, requestHead(m)).Blocks() {
		return x, nil
	}
	if violation == nil {
		return x, feed(now, x, inspect.RequestData, bytes.NewReader(m.Body))
	}
	if !x.Data(now, inspect.RequestData, m.Body).Blocks() {
		x.Refuse(now, verdict.SafetyFraming, verdict.PlaceUpload, violation.Kind.String())
	}
	return x, nil
}

// requestHead describes a request as the proxy would.
func requestHead(m http1.Message) gate.RequestHead {
	h := gate.RequestHead{Scheme: "http", Method: m.Method, Proto: m.Version, Header: header(m.Fields)}
	h.Host = h.Header.Get("Host")
	h.URL, h.Target = target(m.Target, h.Host)
	if s := strings.ToLower(h.URL.Scheme); s != "" {
		h.Scheme = s
	}
	switch gate.UpgradeOf(m.Method, m.Version, h.Header, len(m.Body) > 0) {
	case gate.UpgradeNone, gate.UpgradeIgnored:
	case gate.UpgradeWebSocket:
		h.WebSocket, h.Scheme = true, strings.Replace(h.Scheme, "http", "ws", 1)
	case gate.UpgradeOther:
		h.Upgrade = strings.Join(h.Header["Upgrade"], ", ")
	}
	return h
}

// target finds out where a request line and a Host field lead; both are zero when nowhere.
func target(line, host string) (*url.URL, hostname.Authority) {
	u, err := url.Parse(line)
	if err != nil {
		u = &url.URL{Path: "/"}
	}
	if u.Host != "" {
		host = u.Host
	}
	a, err := hostname.ParseAuthority(host, weburl.DefaultPort(u.Scheme))
	if err != nil {
		return u, hostname.Authority{}
	}
	return u, a
}

func header(fields []http1.Field) http.Header {
	h := http.Header{}
	for _, f := range fields {
		h.Add(f.Name, f.Value)
	}
	return h
}

// feed gives a body to the gate.
func feed(now time.Time, x *gate.Exchange, phase inspect.Phase, r io.Reader) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		x.Data(now, phase, buf[:n])
		if errors.Is(err, io.EOF) {
			x.End(now, phase)
			return nil
		}
		if err != nil {
			return err
		}
	}
}
