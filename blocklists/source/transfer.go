package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// Transfer says which name servers give a list as a zone (AXFR, RFC 5936; IXFR, RFC 1995), over TCP. The zero Transfer: none.
type Transfer struct {
	// Servers are asked in this order, until one answers.
	Servers []netip.AddrPort
	// Zone is the name of the zone.
	Zone string
	// Key signs questions and answers; zero: they are not signed.
	Key Key
}

// Limits of transfers.
const (
	questionTime = 10 * time.Second // for the answer to SOA, and to make a connection
	silence      = 30 * time.Second // between two messages of a transfer
	noRefresh    = time.Hour        // between looks when the zone does not say
	maxRefresh   = 7 * 24 * time.Hour
)

func (t Transfer) given() bool { return len(t.Servers) > 0 || t.Zone != "" }

// check refuses what could never work.
func (t Transfer) check() error {
	if !t.given() {
		return nil
	}
	if _, ok := dns.IsDomainName(t.Zone); !ok || t.Zone == "" {
		return fmt.Errorf("%q is not the name of a zone", t.Zone)
	}
	if len(t.Servers) == 0 {
		return errors.New("a transfer without servers")
	}
	for _, s := range t.Servers {
		if !s.IsValid() || s.Port() == 0 {
			return fmt.Errorf("%v is not the address and port of a name server", s)
		}
	}
	return t.Key.check()
}

// location names the zone. The servers may change without the copy being of another list.
func (t Transfer) location() string { return "transfer:" + dns.CanonicalName(t.Zone) }

// interval is how long to wait between two looks when the operator does not say.
func (z zoneState) interval() time.Duration {
	if z.Refresh == 0 {
		return noRefresh
	}
	return min(max(time.Duration(z.Refresh)*time.Second, minInterval), maxRefresh)
}

// expiry is how long after the last look the zone holds (RFC 1035 section 3.3.13), but always until two looks have failed; 0: for
// ever, as does an Expire of zero, which would empty the list at once.
func (z zoneState) expiry(interval time.Duration) time.Duration {
	if z.Expire == 0 {
		return 0
	}
	return max(time.Duration(z.Expire)*time.Second, 2*interval+minInterval)
}

// zoneFetcher asks name servers for a zone.
type zoneFetcher struct {
	Transfer
	list  string
	every time.Duration // between looks
	dir   string        // for what does not fit into memory
	limit int64         // octets of the zone as text
	log   *slog.Logger
}

var _ fetcher = zoneFetcher{}

// fetch asks one server after the other. None may use up the time of those behind it.
func (z zoneFetcher) fetch(ctx context.Context, have held) (answer, error) {
	deadline, limited := ctx.Deadline()
	var errs []error
	for i, server := range z.Servers {
		share := ctx
		if left := len(z.Servers) - i; limited && left > 1 {
			var cancel context.CancelFunc
			share, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
			defer cancel() // at most as many as there are servers
		}
		got, err := z.from(share, server, have)
		if err == nil {
			return got, nil
		}
		errs = append(errs, fmt.Errorf("transfer %s from %v: %w", z.Zone, server, err))
		if ctx.Err() != nil {
			break
		}
	}
	return answer{}, joined(errs)
}

// joined is [errors.Join] on one line.
func joined(errs []error) error {
	if len(errs) < 2 {
		return errors.Join(errs...)
	}
	all := errs[0]
	for _, err := range errs[1:] {
		all = fmt.Errorf("%w; %w", all, err)
	}
	return all
}

// from asks one server: its serial first, then for what changed, then for everything.
func (z zoneFetcher) from(ctx context.Context, server netip.AddrPort, have held) (answer, error) {
	ours, err := z.copySOA(have)
	if err != nil {
		z.log.Warn("the copy of a zone is not used", "list", z.list, "err", err)
	}
	theirs, err := z.askSOA(ctx, server)
	if err != nil {
		return answer{}, fmt.Errorf("ask for SOA: %w", err)
	}
	if ours != nil && theirs.Serial == ours.Serial {
		return answer{zone: stateOf(theirs)}, nil
	}
	if ours != nil {
		if err := z.advances(ours, theirs, have); err != nil {
			return answer{}, err
		}
	}
	if ours != nil && newer(theirs.Serial, ours.Serial) {
		got, err := z.incremental(ctx, server, ours, have)
		if err == nil || ctx.Err() != nil {
			return got, err
		}
		z.log.Info("zone differences are not used, asking for the whole zone", "list", z.list, "server", server, "err", err)
	}
	return z.complete(ctx, server, ours, have)
}

// advances refuses a zone that is older than our copy, unless that has run out of its time: then the new one counts as the first.
func (z zoneFetcher) advances(ours, theirs *dns.SOA, have held) error {
	expiry := stateOf(ours).expiry(z.every)
	if newer(theirs.Serial, ours.Serial) || expiry > 0 && time.Since(have.Checked) > expiry {
		return nil
	}
	return fmt.Errorf("%w: the copy has %d, the server %d", ErrSerial, ours.Serial, theirs.Serial)
}

// copySOA reads the SOA record that the copy begins with; nil when there is no copy of this zone.
func (z zoneFetcher) copySOA(have held) (*dns.SOA, error) {
	if have.Zone == (zoneState{}) {
		return nil, nil
	}
	f, soa, err := z.openCopy(have)
	if err != nil {
		return nil, err
	}
	f.close()
	return soa, nil
}

// zoneCopy is an open copy, behind its SOA record.
type zoneCopy struct {
	*fileRecords
	close func()
}

func (z zoneFetcher) openCopy(have held) (zoneCopy, *dns.SOA, error) {
	f, err := openRegular(have.path)
	if err != nil {
		return zoneCopy{}, nil, fmt.Errorf("read copy: %w", err)
	}
	c := zoneCopy{newFileRecords(f), func() { _ = f.Close() }} // read only
	first, err := c.next()
	if err == nil {
		var rr dns.RR
		if rr, err = dns.NewRR(first.line()); err == nil {
			if soa, ok := rr.(*dns.SOA); ok && dns.CanonicalName(soa.Hdr.Name) == dns.CanonicalName(z.Zone) {
				return c, soa, nil
			}
			err = errors.New("it does not begin with the SOA record of the zone")
		}
	}
	c.close()
	return zoneCopy{}, nil, fmt.Errorf("read copy: %w", err)
}

// incremental asks for what changed since our copy.
func (z zoneFetcher) incremental(ctx context.Context, server netip.AddrPort, ours *dns.SOA, have held) (answer, error) {
	got := &collector{difference: newDifference(), sorter: &sorter{dir: z.dir, limit: z.limit}}
	in := &inbound{zone: dns.CanonicalName(z.Zone), have: ours, sink: got}
	if err := z.ask(ctx, server, dns.TypeIXFR, in); err != nil {
		got.sorter.close()
		return answer{}, err
	}
	switch {
	case in.step == stepUpToDate:
		return answer{zone: stateOf(in.soa)}, nil
	case got.isWhole:
		return z.wholeText(in, got.sorter, "whole zone for IXFR", server)
	}
	body, err := z.applied(in, got.difference, have, server)
	if err != nil {
		return answer{}, err
	}
	z.log.Info("zone transferred", "list", z.list, "server", server, "kind", "IXFR", "from", ours.Serial, "to", in.soa.Serial,
		"removed", got.removed, "added", got.added)
	return answer{body: body, zone: stateOf(in.soa)}, nil
}

// applied is the text after the differences: they are tried once to the end, so that a misfit shows while there is still time
// to ask for everything.
func (z zoneFetcher) applied(in *inbound, d *difference, have held, server netip.AddrPort) (io.ReadCloser, error) {
	before, _, err := z.openCopy(have)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, &zoneText{head: in.first, rest: d.apply(before)})
	before.close()
	if err != nil {
		return nil, err
	}
	if before, _, err = z.openCopy(have); err != nil {
		return nil, err
	}
	return &zoneText{head: in.first, rest: d.apply(before), done: before.close}, nil
}

// complete asks for the whole zone.
func (z zoneFetcher) complete(ctx context.Context, server netip.AddrPort, ours *dns.SOA, have held) (answer, error) {
	got := &collector{sorter: &sorter{dir: z.dir, limit: z.limit}}
	in := &inbound{zone: dns.CanonicalName(z.Zone), sink: got}
	err := z.ask(ctx, server, dns.TypeAXFR, in)
	if err == nil && ours != nil && in.soa.Serial != ours.Serial {
		err = z.advances(ours, in.soa, have)
	}
	if err != nil {
		got.sorter.close()
		return answer{}, err
	}
	return z.wholeText(in, got.sorter, "AXFR", server)
}

func (z zoneFetcher) wholeText(in *inbound, s *sorter, kind string, server netip.AddrPort) (answer, error) {
	rest, err := s.sorted()
	if err != nil {
		s.close()
		return answer{}, err
	}
	z.log.Info("zone transferred", "list", z.list, "server", server, "kind", kind, "to", in.soa.Serial, "records", s.count)
	return answer{body: &zoneText{head: in.first, rest: rest, done: s.close}, zone: stateOf(in.soa)}, nil
}

// collector keeps what a transfer brings.
type collector struct {
	*difference
	sorter  *sorter
	isWhole bool
}

var _ zoneSink = (*collector)(nil)

func (c *collector) whole() error            { c.isWhole = true; return nil }
func (c *collector) keep(r zoneRecord) error { return c.sorter.add(r) }

// zoneText is a zone as text: the SOA record, then the others in order, one on each line. The same zone is always the same text.
type zoneText struct {
	head zoneRecord
	rest records
	done func()
	line []byte
	err  error
}

var _ io.ReadCloser = (*zoneText)(nil)

// Read implements [io.Reader].
func (t *zoneText) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(t.line) == 0 {
			if t.err != nil {
				break
			}
			t.advance()
			continue
		}
		copied := copy(p[n:], t.line)
		n, t.line = n+copied, t.line[copied:]
	}
	if n == 0 && len(p) > 0 {
		return 0, t.err
	}
	return n, nil
}

func (t *zoneText) advance() {
	r := t.head
	if r.key == "" {
		if r, t.err = t.rest.next(); t.err != nil {
			return
		}
	}
	t.head = zoneRecord{}
	t.line = append(t.line[:0], r.line()...)
	t.line = append(t.line, '\n')
}

// Close implements [io.Closer].
func (t *zoneText) Close() error {
	if t.done != nil {
		t.done()
	}
	return nil
}
