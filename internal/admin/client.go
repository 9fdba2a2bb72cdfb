package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

const (
	dialTimeout = 5 * time.Second
	// maxAnswer bounds what is read of an answer, in octets: the state of a
	// thousand lists is far below.
	maxAnswer = 16 << 20
)

// Errors of [Client], [Probe] and [ProbeSocket].
var (
	// ErrNotRunning: nobody listens there.
	ErrNotRunning = errors.New("no weir is running there")
	// ErrForbidden: the socket, or who owns the process, does not admit this user.
	ErrForbidden = errors.New("only the user that runs weir, or root, may use the control socket")
)

// Refused is the answer of a weir that would not do what it was asked; nothing
// has changed.
type Refused struct {
	Problems []string // one mistake each, "weir.yaml:3:5: ..."; at least one
}

var _ error = (*Refused)(nil)

// Error returns one problem a line.
func (r *Refused) Error() string { return strings.Join(r.Problems, "\n") }

// Client speaks to the control socket of a running weir. Calls may run
// concurrently; each opens a connection of its own.
type Client struct {
	socket string
	http   *http.Client
}

// Dial returns a client for the socket at that path. It connects with the first
// call, which says when nobody listens.
func Dial(socket string) *Client {
	return &Client{socket: socket, http: &http.Client{
		// The nil Proxy is the point: the environment must not send us elsewhere.
		Transport: &http.Transport{
			DisableKeepAlives:  true,
			DisableCompression: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				if err := checkPath(socket); err != nil {
					return nil, err
				}
				return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "unix", socket)
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Reload makes weir read config and lists anew. restart names the config keys
// that changed and that only a restart puts in force. Errors: [*Refused] with
// what is wrong in the files (the old policy stays), [ErrNotRunning],
// [ErrForbidden].
func (c *Client) Reload(ctx context.Context) (restart []string, err error) {
	body, err := c.ask(ctx, reloadTimeout+headerTimeout, http.MethodPost, "/reload")
	if err != nil {
		return nil, err
	}
	var r result
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, fmt.Errorf("control socket %s: the answer to a reload: %w", c.socket, err)
	}
	return r.Restart, nil
}

// UpdateLists makes weir fetch the list of that name, or all lists for "".
// Errors are those of [Client.Reload].
func (c *Client) UpdateLists(ctx context.Context, name string) error {
	_, err := c.ask(ctx, updateTimeout+headerTimeout, http.MethodPost, "/lists/update?name="+url.QueryEscape(name))
	return err
}

// AcceptList makes weir put the text of a list that is held for review in force. Errors are as for [Client.Reload].
func (c *Client) AcceptList(ctx context.Context, name string) error {
	_, err := c.ask(ctx, updateTimeout+headerTimeout, http.MethodPost, "/lists/accept?name="+url.QueryEscape(name))
	return err
}

// Status returns the state of weir as JSON. Errors: [ErrNotRunning], [ErrForbidden].
func (c *Client) Status(ctx context.Context) (json.RawMessage, error) {
	return c.get(ctx, "/status")
}

// Lists returns the state of the lists as JSON. Errors: [ErrNotRunning], [ErrForbidden].
func (c *Client) Lists(ctx context.Context) (json.RawMessage, error) {
	return c.get(ctx, "/lists")
}

func (c *Client) get(ctx context.Context, path string) (json.RawMessage, error) {
	body, err := c.ask(ctx, writeTimeout, http.MethodGet, path)
	if err != nil {
		return nil, err
	}
	if !json.Valid(body) {
		return nil, fmt.Errorf("control socket %s: the answer to %s is not JSON", c.socket, path)
	}
	return body, nil
}

// ask returns the body of a 200, and a *Refused for any other answer.
func (c *Client) ask(ctx context.Context, limit time.Duration, method, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://weir"+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.explain(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("control socket %s: read the answer: %w", c.socket, err)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("control socket %s: the answer has more than %d octets", c.socket, maxAnswer)
	case resp.StatusCode == http.StatusOK:
		return body, nil
	}
	var r result
	if json.Unmarshal(body, &r) != nil || len(r.Problems) == 0 {
		return nil, fmt.Errorf("control socket %s: answered %s to %s %s", c.socket, resp.Status, method, path)
	}
	return nil, &Refused{Problems: r.Problems}
}

// explain says in the operator's words why there was no answer.
func (c *Client) explain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without the made-up URL
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("control socket %s: %w: start it with weir run, or give the config it runs with", c.socket, ErrNotRunning)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("control socket %s: %w", c.socket, ErrForbidden)
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("control socket %s: closed without an answer (%w; or weir is shutting down)", c.socket, ErrForbidden)
	}
	return fmt.Errorf("control socket %s: %w", c.socket, err)
}
