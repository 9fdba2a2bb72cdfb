package source_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// answerer is a name server of our own, which may misbehave. Everything about its answers is up to the test.
type answerer struct {
	t    *testing.T
	addr netip.AddrPort

	mu     sync.Mutex
	answer func(c *asked)
	seen   []string // the kinds of questions
	sent   int64    // octets
}

// asked is one question and the connection that waits for its answer.
type asked struct {
	s    *answerer
	q    *dns.Msg
	conn net.Conn
	key  dns.TSIG // to sign with: name, algorithm, time
	mac  string   // of the message before
	next bool     // not the first
	// secret signs; empty: nothing is signed.
	secret string
}

func serve(t *testing.T, answer func(c *asked)) *answerer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &answerer{t: t, addr: netip.MustParseAddrPort(l.Addr().String()), answer: answer}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { s.one(conn) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return s
}

func (s *answerer) one(conn net.Conn) {
	defer conn.Close()
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return
	}
	raw := make([]byte, binary.BigEndian.Uint16(size[:]))
	q := new(dns.Msg)
	if _, err := io.ReadFull(conn, raw); err != nil || q.Unpack(raw) != nil {
		return
	}
	c := &asked{s: s, q: q, conn: conn}
	if ts := q.IsTsig(); ts != nil {
		c.key, c.mac, c.secret = *ts, ts.MAC, keySecret
	}
	s.mu.Lock()
	answer := s.answer
	s.seen = append(s.seen, dns.TypeToString[q.Question[0].Qtype])
	s.mu.Unlock()
	answer(c)
}

func (s *answerer) set(answer func(c *asked)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer, s.seen, s.sent = answer, nil, 0
}

func (s *answerer) questions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

// octets is how many were sent.
func (s *answerer) octets() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

func (c *asked) kind() uint16 { return c.q.Question[0].Qtype }

// raw sends octets as they are; false: the other side has gone.
func (c *asked) raw(b []byte) bool {
	c.s.mu.Lock()
	c.s.sent += int64(len(b))
	c.s.mu.Unlock()
	_, err := c.conn.Write(b)
	return err == nil
}

// framed sends a message that is already packed.
func (c *asked) framed(wire []byte) bool {
	return c.raw(append(binary.BigEndian.AppendUint16(nil, uint16(len(wire))), wire...))
}

// message makes an answer.
func (c *asked) message(answers ...dns.RR) *dns.Msg {
	m := new(dns.Msg).SetReply(c.q)
	m.Authoritative, m.Compress = true, true
	for _, rr := range answers { // packing writes into them, and other answers have them too
		m.Answer = append(m.Answer, dns.Copy(rr))
	}
	return m
}

// send sends a message, signed when the question was.
func (c *asked) send(m *dns.Msg) bool { return c.framed(c.pack(m)) }

func (c *asked) pack(m *dns.Msg) []byte {
	if c.secret == "" {
		wire, err := m.Pack()
		if err != nil {
			c.s.t.Error(err)
		}
		return wire
	}
	m.SetTsig(c.key.Hdr.Name, c.key.Algorithm, 300, int64(c.key.TimeSigned))
	wire, mac, err := dns.TsigGenerate(m, base64.StdEncoding.EncodeToString([]byte(c.secret)), c.mac, c.next)
	if err != nil {
		c.s.t.Error(err)
	}
	c.mac, c.next = mac, true
	return wire
}

// hang waits until the other side has had enough.
func (c *asked) hang() { _, _ = io.Copy(io.Discard, c.conn) }

// soa is the SOA record of rpz.test.
func soa(serial uint32) dns.RR {
	rr, err := dns.NewRR("rpz.test. 300 IN SOA ns.test. host.test. " + strconv.FormatUint(uint64(serial), 10) + " 3600 600 86400 300")
	if err != nil {
		panic(err) // cannot be: the text is right
	}
	return rr
}

// bad is a rule of rpz.test.
func bad(name string) dns.RR {
	return &dns.CNAME{Hdr: dns.RR_Header{Name: name + ".rpz.test.", Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: 60}, Target: "."}
}

// honest answers for the zone with this serial and these rules; to IXFR as RFC 1995 section 4 lets it: with the whole zone.
func honest(serial uint32, rules ...dns.RR) func(*asked) {
	return func(c *asked) {
		if c.kind() == dns.TypeSOA {
			c.send(c.message(soa(serial)))
			return
		}
		c.send(c.message(append(append([]dns.RR{soa(serial)}, rules...), soa(serial))...))
	}
}

// whenAsked answers SOA with a serial and everything else as told.
func whenAsked(serial uint32, rest func(c *asked)) func(*asked) {
	return func(c *asked) {
		if c.kind() == dns.TypeSOA {
			c.send(c.message(soa(serial)))
			return
		}
		rest(c)
	}
}

// stale is a time that no fudge covers.
func stale() uint64 { return uint64(time.Now().Add(-time.Hour).Unix()) }

// sendAfter sends a message whose signature covers the unsigned messages before it as well.
func (c *asked) sendAfter(plain []byte, m *dns.Msg) bool {
	wire, err := m.Pack()
	if err != nil {
		c.s.t.Error(err)
	}
	mac, err := hex.DecodeString(c.mac)
	if err != nil {
		c.s.t.Error(err)
	}
	now := uint64(time.Now().Unix())
	timers := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(nil, uint16(now>>32)), uint32(now)), 300)
	h := hmac.New(sha256.New, []byte(c.secret))
	for _, b := range [][]byte{binary.BigEndian.AppendUint16(nil, uint16(len(mac))), mac, plain, wire, timers} {
		h.Write(b)
	}
	m.SetTsig(c.key.Hdr.Name, c.key.Algorithm, 300, int64(now))
	ts := m.IsTsig()
	ts.MAC, ts.MACSize, ts.OrigId = hex.EncodeToString(h.Sum(nil)), uint16(h.Size()), m.Id
	if wire, err = m.Pack(); err != nil {
		c.s.t.Error(err)
	}
	return c.framed(wire)
}
