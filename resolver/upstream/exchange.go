package upstream

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/miekg/dns"

	"weir/internal/hostname"
	"weir/resolver/query"
)

const (
	// ednsSize is what servers may send over UDP: above it datagrams are fragmented, and fragments can be forged.
	ednsSize = query.MaxUDP
	// udpBuffer holds what servers send that ignore ednsSize.
	udpBuffer = 4096
	// maxMismatches is how many replies that belong to no query are ignored before the query is asked again over TCP: someone
	// guesses ids (RFC 5452 section 9.2).
	maxMismatches = 8
)

// errSwitch asks for TCP: the reply was truncated or repeats no question, or someone guesses ids.
var errSwitch = errors.New("to be asked over TCP")

// Packet builds the query for a key: a fresh id, one question in lower case, RD, our own EDNS, DO and CD as asked. AD asks the
// server to say whether it validated (RFC 6840 section 5.7).
func Packet(key query.Key) ([]byte, error) {
	var id [2]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, fmt.Errorf("query id: %w", err)
	}
	m := dns.Msg{
		MsgHdr:   dns.MsgHdr{Id: binary.BigEndian.Uint16(id[:]), RecursionDesired: true, AuthenticatedData: true, CheckingDisabled: key.CD},
		Question: []dns.Question{{Name: key.FQDN(), Qtype: key.Type, Qclass: key.Class}},
	}
	m.SetEdns0(ednsSize, key.DO)
	b, err := m.Pack()
	if err != nil {
		return nil, fmt.Errorf("pack query for %s: %w", key.FQDN(), err)
	}
	return b, nil
}

// ask sends one query to one server, over UDP from a fresh socket (so that its port is a new random one), then over TCP when that
// is needed.
func (c *Client) ask(ctx context.Context, server string, key query.Key) (*dns.Msg, int, error) {
	packet, err := Packet(key)
	if err != nil {
		return nil, 0, err
	}
	m, size, err := c.overUDP(ctx, server, packet, key)
	if !errors.Is(err, errSwitch) {
		return m, size, err
	}
	if packet, err = Packet(key); err != nil { // the id was seen or guessed: another one
		return nil, 0, err
	}
	return c.overTCP(ctx, server, packet, key)
}

// dial opens a connection that ends with ctx.
func dial(ctx context.Context, network, server string) (conn net.Conn, release func(), err error) {
	var d net.Dialer
	if conn, err = d.DialContext(ctx, network, server); err != nil {
		return nil, nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	return conn, func() { stop(); _ = conn.Close() }, nil
}

func (c *Client) overUDP(ctx context.Context, server string, packet []byte, key query.Key) (*dns.Msg, int, error) {
	conn, release, err := dial(ctx, "udp", server)
	if err != nil {
		return nil, 0, err
	}
	defer release()
	c.stats.Queries.Add(1)
	if _, err := conn.Write(packet); err != nil {
		return nil, 0, err
	}
	buf := make([]byte, udpBuffer)
	for range maxMismatches {
		n, err := conn.Read(buf)
		if err != nil {
			return nil, 0, err
		}
		m, again, ok := match(buf[:n], packet, key)
		switch {
		case again:
			if binary.BigEndian.Uint16(buf[4:]) == 0 {
				c.stats.Mismatch.Add(1)
			}
			return nil, 0, errSwitch
		case ok:
			return m, n, nil
		}
		c.stats.Mismatch.Add(1)
	}
	return nil, 0, errSwitch
}

func (c *Client) overTCP(ctx context.Context, server string, packet []byte, key query.Key) (*dns.Msg, int, error) {
	conn, release, err := dial(ctx, "tcp", server)
	if err != nil {
		return nil, 0, err
	}
	defer release()
	c.stats.Queries.Add(1)
	c.stats.TCP.Add(1)
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)); err != nil {
		return nil, 0, err
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, 0, fmt.Errorf("length of a reply: %w", err)
	}
	buf := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, buf); err != nil {
		return nil, 0, fmt.Errorf("reply: %w", err)
	}
	m, _, ok := match(buf, packet, key)
	if !ok {
		c.stats.Mismatch.Add(1)
		return nil, 0, ErrMismatch
	}
	return m, len(buf), nil
}

// match reads a reply and says whether it belongs to the query: id, QR, opcode and the whole question are equal. again is set for one
// that is no answer but ends the wait: its TC bit is set (its records are not looked at, for they may be cut anywhere), or it knows
// the id and repeats no question, as servers do that choke on the query. Who forges one without a question wins nothing: TCP is next.
func match(reply, packet []byte, key query.Key) (m *dns.Msg, again, ok bool) {
	const qr, opcode, tc = 0x80, 0x78, 0x02
	if len(reply) < headerLen || reply[0] != packet[0] || reply[1] != packet[1] || reply[2]&(qr|opcode) != qr {
		return nil, false, false
	}
	if binary.BigEndian.Uint16(reply[4:]) == 0 {
		return nil, true, false
	}
	if !asks(reply, key) {
		return nil, false, false
	}
	if reply[2]&tc != 0 {
		return nil, true, false
	}
	m = new(dns.Msg)
	if err := m.Unpack(reply); err != nil {
		return nil, false, false
	}
	return m, false, true
}

// headerLen is RFC 1035 section 4.1.1.
const headerLen = 12

// asks says whether the question section of a message is the key's.
func asks(b []byte, key query.Key) bool {
	if binary.BigEndian.Uint16(b[4:]) != 1 {
		return false
	}
	name, off, err := dns.UnpackDomainName(b, headerLen)
	return err == nil && off+4 <= len(b) && same(name, key) &&
		binary.BigEndian.Uint16(b[off:]) == key.Type && binary.BigEndian.Uint16(b[off+2:]) == key.Class
}

func same(name string, key query.Key) bool {
	if name == "." {
		return key.Name.IsZero()
	}
	n, err := hostname.FromDNS(name)
	return err == nil && n == key.Name
}
