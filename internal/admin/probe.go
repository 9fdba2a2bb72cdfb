package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"weir/internal/redact"
)

const (
	// probeTimeout ends a probe whose context has no earlier end; Docker and
	// Kubernetes ask every few seconds and wait for a few.
	probeTimeout = 4 * time.Second
	// maxProbe bounds what is read of an answer, in octets.
	maxProbe = 4 << 10
)

// ErrUnhealthy is the answer of a weir that runs, and says that it is not ready or not healthy.
var ErrUnhealthy = errors.New("weir is not ready")

// Probe asks the admin listener at listen, as the config names it, whether it
// is ready, and if so whether it is healthy; nil means both. An unspecified
// address (0.0.0.0, ::) is asked on loopback, token is sent unless it is "", and
// proxies of the environment are never used. It takes 4 s at most. Errors:
// [ErrNotRunning], [ErrUnhealthy] with what the listener says.
func Probe(ctx context.Context, listen netip.AddrPort, token string) error {
	if !listen.IsValid() || listen.Port() == 0 {
		return fmt.Errorf("probe %v: the admin listener has no fixed address and port", listen)
	}
	candidates := dialable(listen)
	p := prober{
		base:  "http://" + withoutZone(candidates[0]).String(),
		where: "admin listener " + listen.String(),
		token: token,
		dial: func(ctx context.Context, d *net.Dialer) (net.Conn, error) {
			var failed error
			for _, to := range candidates {
				c, err := d.DialContext(ctx, "tcp", to.String())
				if err == nil {
					return c, nil
				}
				failed = errors.Join(failed, err)
			}
			return nil, failed
		},
	}
	return p.run(ctx)
}

// ProbeSocket is [Probe] over the control socket, for a weir without an admin
// listener.
func ProbeSocket(ctx context.Context, socket string) error {
	p := prober{
		base:  "http://weir",
		where: "control socket " + socket,
		dial: func(ctx context.Context, d *net.Dialer) (net.Conn, error) {
			if err := checkPath(socket); err != nil {
				return nil, err
			}
			return d.DialContext(ctx, "unix", socket)
		},
	}
	return p.run(ctx)
}

// dialable turns a listen address into those to connect to. :: listens on both
// families, and either loopback may be missing in a container.
func dialable(listen netip.AddrPort) []netip.AddrPort {
	v4 := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), listen.Port())
	switch addr := listen.Addr().Unmap(); {
	case !addr.IsUnspecified():
		return []netip.AddrPort{netip.AddrPortFrom(addr, listen.Port())}
	case addr.Is4():
		return []netip.AddrPort{v4}
	}
	return []netip.AddrPort{netip.AddrPortFrom(netip.IPv6Loopback(), listen.Port()), v4}
}

// withoutZone: a Host header has no zone (RFC 9844 section 5).
func withoutZone(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().WithZone(""), a.Port())
}

// prober asks one place.
type prober struct {
	base, where, token string
	dial               func(context.Context, *net.Dialer) (net.Conn, error)
}

func (p prober) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	client := &http.Client{
		Transport: &http.Transport{ // the nil Proxy is the point, as in Dial
			DisableKeepAlives:  true,
			DisableCompression: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return p.dial(ctx, &net.Dialer{})
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for _, path := range []string{pathReady, pathHealth} {
		if err := p.ask(ctx, client, path); err != nil {
			return fmt.Errorf("%s: %w", p.where, err)
		}
	}
	return nil
}

func (p prober) ask(ctx context.Context, client *http.Client, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+path, nil)
	if err != nil {
		return err
	}
	if p.token != "" {
		req.Header.Set("Authorization", "Bearer "+p.token)
	}
	resp, err := client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT) {
			return fmt.Errorf("%w (%w)", ErrNotRunning, err)
		}
		return fmt.Errorf("ask %s: %w", path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxProbe)) // what came is what is shown
	return fmt.Errorf("%w: %s answers %d: %s", ErrUnhealthy, path, resp.StatusCode, redact.Scrub(strings.TrimSpace(string(body))))
}
