package source

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// question makes a question about the zone.
func (z zoneFetcher) question(kind uint16) *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion(dns.CanonicalName(z.Zone), kind)
	m.RecursionDesired = false
	return m
}

// askSOA asks for the SOA record of the zone.
func (z zoneFetcher) askSOA(ctx context.Context, server netip.AddrPort) (*dns.SOA, error) {
	ctx, cancel := context.WithTimeout(ctx, questionTime)
	defer cancel()
	c, err := z.open(ctx, server, z.question(dns.TypeSOA))
	if err != nil {
		return nil, err
	}
	defer c.close()
	answers, err := c.next()
	if err == nil {
		err = c.check.end()
	}
	if err != nil {
		return nil, err
	}
	for _, rr := range answers {
		if soa, ok := rr.(*dns.SOA); ok && dns.CanonicalName(soa.Hdr.Name) == dns.CanonicalName(z.Zone) {
			return soa, nil
		}
	}
	return nil, fmt.Errorf("%w: the server does not know the zone", ErrTransfer)
}

// ask reads a transfer into in, up to its end.
func (z zoneFetcher) ask(ctx context.Context, server netip.AddrPort, kind uint16, in *inbound) error {
	q := z.question(kind)
	if in.have != nil {
		q.Ns = []dns.RR{in.have}
	}
	name := dns.TypeToString[kind]
	c, err := z.open(ctx, server, q)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer c.close()
	for !in.done() {
		answers, err := c.next()
		if err == nil {
			err = in.message(answers)
		}
		if err != nil {
			return fmt.Errorf("%s, message %d: %w", name, c.messages, err)
		}
	}
	if err := c.check.end(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// conversation is one question over TCP and the messages of its answer.
type conversation struct {
	ctx      context.Context
	conn     net.Conn
	stop     func() bool
	id       uint16
	question dns.Question
	check    *tsigCheck // nil: nothing is signed
	room     int64      // octets that may still come
	messages int
	buf      []byte
}

// open connects and asks.
func (z zoneFetcher) open(ctx context.Context, server netip.AddrPort, q *dns.Msg) (*conversation, error) {
	asked := q.Question[0]
	wire, check, err := z.Key.sign(q, time.Now())
	if err != nil {
		return nil, fmt.Errorf("make question: %w", err)
	}
	dialer := net.Dialer{Timeout: questionTime}
	conn, err := dialer.DialContext(ctx, "tcp", server.String())
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	c := &conversation{ctx: ctx, conn: conn, id: q.Id, question: asked, check: check, room: wireFactor*z.limit + 1<<16}
	c.stop = context.AfterFunc(ctx, func() { _ = conn.Close() }) // what waits for it fails
	if err := c.write(wire); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// wireFactor: a record on the wire, with the signature of its message, is shorter than twice its text.
const wireFactor = 2

func (c *conversation) close() {
	c.stop()
	_ = c.conn.Close() // nothing is lost: all was read, or is given up
}

func (c *conversation) write(wire []byte) error {
	_ = c.conn.SetDeadline(time.Now().Add(questionTime)) // a connection without deadlines fails at the next step
	if _, err := c.conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(wire))), wire...)); err != nil {
		return fmt.Errorf("ask: %w", c.cause(err))
	}
	return nil
}

// next reads the next message and checks everything about it but its records.
func (c *conversation) next() ([]dns.RR, error) {
	c.messages++
	_ = c.conn.SetDeadline(time.Now().Add(silence)) // as above
	if err := c.read(); err != nil {
		return nil, err
	}
	r, err := readReply(c.buf, c.question)
	if err != nil {
		return nil, err
	}
	if c.check != nil {
		err = c.check.message(c.buf, r.sigAt, r.sig, time.Now())
	}
	// What a server says of our key comes unsigned (RFC 8945 section 5.3.2) and beside a response code: it is told first.
	if refused := r.check(c.id); refused != nil && (err == nil || r.sig == nil) {
		return nil, refused
	}
	if err != nil {
		return nil, err
	}
	if c.check == nil && r.sig != nil {
		return nil, fmt.Errorf("%w: signed, and no key is configured", ErrTSIG)
	}
	return r.answers, nil
}

// read fills buf with one message.
func (c *conversation) read() error {
	var size [2]byte
	if _, err := io.ReadFull(c.conn, size[:]); err != nil {
		return fmt.Errorf("read: %w", c.cause(err))
	}
	n := int(binary.BigEndian.Uint16(size[:]))
	if c.room -= int64(n) + 2; c.room < 0 {
		return fmt.Errorf("%w: more octets on the wire than the list may have", errTooBig)
	}
	if cap(c.buf) < n {
		c.buf = make([]byte, n)
	}
	c.buf = c.buf[:n]
	if _, err := io.ReadFull(c.conn, c.buf); err != nil {
		return fmt.Errorf("read: %w", c.cause(err))
	}
	return nil
}

// cause says why a read or write failed, in words for operators.
func (c *conversation) cause(err error) error {
	switch {
	case c.ctx.Err() != nil:
		return c.ctx.Err()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the server closed the connection: %w", err)
	}
	return err
}
