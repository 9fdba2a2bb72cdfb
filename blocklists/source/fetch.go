package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"weir/internal/address"
)

// newClient returns a client for lists. It takes no proxy from the environment: weir must not fetch its lists through itself by
// accident. It connects to the hosts that the configuration names wherever they are, and to others, where a redirect leads, only
// at public addresses: what lies behind the wall is nobody's to point at (server-side request forgery, CWE-918).
func newClient(named hosts) *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy:                  nil,
		DialContext:            named.dial,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           maxParallel,
		IdleConnTimeout:        30 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}}
}

// hosts holds HOST:PORT of every URL in the configuration.
type hosts map[string]bool

func hostsOf(sources []Source) hosts {
	out := make(hosts)
	for _, s := range sources {
		for _, text := range [...]string{s.URL, s.signatureURL()} {
			if u, err := url.Parse(text); err == nil && u.Host != "" {
				out[hostPort(u)] = true
			}
		}
	}
	return out
}

// hostPort is what a transport dials for a URL.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "443"
		if u.Scheme == "http" {
			port = "80"
		}
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func (h hosts) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	if !h[addr] {
		dialer.Control = publicOnly
	}
	return dialer.DialContext(ctx, network, addr)
}

// publicOnly refuses connections that would not leave for the internet.
func publicOnly(_, addr string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil || !address.IsPublic(ap.Addr().WithZone("").Unmap()) {
		return fmt.Errorf("%w: to a private address", ErrRedirect)
	}
	return nil
}

// guarded copies the client and adds our redirect policy: few, never from TLS to plain text, nor to a private address that the
// configuration does not name.
func guarded(c *http.Client, named hosts) *http.Client {
	if c == nil {
		c = newClient(named)
	}
	own := *c
	own.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		switch {
		case len(via) > maxRedirects:
			return fmt.Errorf("%w: more than %d", ErrRedirect, maxRedirects)
		case req.URL.Scheme != "https" && !(loopbackHTTP(req.URL) && loopbackHTTP(via[0].URL)):
			return fmt.Errorf("%w: to plain text", ErrRedirect)
		case privateHost(req.URL) && !named[hostPort(req.URL)]:
			return fmt.Errorf("%w: to a private address", ErrRedirect)
		}
		return nil
	}
	return &own
}

// privateHost says whether a URL says itself that it stays inside; a name is known when it is dialled.
func privateHost(u *url.URL) bool {
	addr, err := netip.ParseAddr(u.Hostname())
	return err == nil && !address.IsPublic(addr.WithZone("").Unmap()) || u.Hostname() == "localhost"
}

// fetcher asks where a list comes from for a newer text.
type fetcher interface {
	// fetch returns a text that is newer than the copy that we have, or an answer without body when that is current. The body
	// is read, within the limit of the list, and closed before ctx ends.
	fetch(ctx context.Context, have held) (answer, error)
}

// held is the copy that we have. Without validators (the metadata has none, or is not of this text) everything is asked for.
type held struct {
	meta
	path string
}

// answer is what a download gave: body when the text is new, nil when the server says that ours is current.
type answer struct {
	body         io.ReadCloser
	etag         string
	lastModified string
	zone         zoneState
}

// fetcher returns what asks for the list of a remote source.
func (m *Manager) fetcher(it *item) fetcher {
	s := it.src
	if s.Transfer.given() {
		m.mu.Lock()
		every := it.interval()
		m.mu.Unlock()
		return zoneFetcher{Transfer: s.Transfer, list: s.List.Name, every: every, dir: m.store.dir, limit: s.MaxBytes, log: m.log}
	}
	return webFetcher{m.client, s.URL}
}

// webFetcher downloads a list over HTTP.
type webFetcher struct {
	client *http.Client
	from   string
}

var _ fetcher = webFetcher{}

func (w webFetcher) fetch(ctx context.Context, old held) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.from, nil)
	if err != nil {
		return answer{}, fmt.Errorf("make request: %w", withoutURL(err))
	}
	req.Header.Set("User-Agent", "weir")
	req.Header.Set("Accept", "text/plain, */*;q=0.5")
	if old.ETag != "" {
		req.Header.Set("If-None-Match", old.ETag)
	}
	if old.LastModified != "" {
		req.Header.Set("If-Modified-Since", old.LastModified)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("download: %w", withoutURL(err))
	}
	switch {
	case resp.StatusCode == http.StatusNotModified && (old.ETag != "" || old.LastModified != ""):
		_ = resp.Body.Close() // it has no body
		return answer{}, nil
	case resp.StatusCode != http.StatusOK:
		_ = resp.Body.Close() // an error page that nobody reads
		return answer{}, fmt.Errorf("download: %w: status %d", ErrStatus, resp.StatusCode)
	}
	return answer{body: resp.Body, etag: resp.Header.Get("ETag"), lastModified: resp.Header.Get("Last-Modified")}, nil
}

// withoutURL takes the URL, which may hold secrets, out of an error of net/http.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
