package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// DefaultClient returns a client for lists. It takes no proxy from the environment: weir must not fetch its lists through
// itself by accident.
func DefaultClient() *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	return &http.Client{Transport: &http.Transport{
		Proxy:                  nil,
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           maxParallel,
		IdleConnTimeout:        30 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}}
}

// guarded copies the client and adds our redirect policy: few, and never from TLS to plain text, nor from elsewhere to
// loopback over plain text.
func guarded(c *http.Client) *http.Client {
	if c == nil {
		c = DefaultClient()
	}
	own := *c
	own.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		switch {
		case len(via) > maxRedirects:
			return fmt.Errorf("%w: more than %d", ErrRedirect, maxRedirects)
		case req.URL.Scheme != "https" && !(loopbackHTTP(req.URL) && loopbackHTTP(via[0].URL)):
			return fmt.Errorf("%w: to plain text", ErrRedirect)
		}
		return nil
	}
	return &own
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
