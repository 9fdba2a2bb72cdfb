package source

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Key signs what is asked of a name server and checks what it answers (TSIG, RFC 8945). The zero Key: nothing is signed.
type Key struct {
	// Name of the key, as the server knows it.
	Name string
	// Algorithm is hmac-sha256, hmac-sha384 or hmac-sha512; older ones are refused.
	Algorithm string
	// Secret is shared with the server: [MinSecret] octets or more.
	Secret []byte `json:"-"`
}

// MinSecret is the least octets of a secret: 128 bits, below which keys can be guessed.
const MinSecret = 16

// Limits of TSIG.
const (
	maxUnsigned = 99  // messages between two signed ones (RFC 8945 section 5.3.1)
	tsigFudge   = 300 // seconds, as section 10 recommends
)

// ErrTSIG wraps everything that is wrong with the signature of an answer.
var ErrTSIG = errors.New("TSIG")

func (k Key) given() bool { return k.Name != "" || k.Algorithm != "" || len(k.Secret) > 0 }

// hash returns the constructor of the digest; nil for an algorithm that is refused.
func (k Key) hash() func() hash.Hash {
	switch strings.TrimSuffix(strings.ToLower(k.Algorithm), ".") {
	case "hmac-sha256":
		return sha256.New
	case "hmac-sha384":
		return sha512.New384
	case "hmac-sha512":
		return sha512.New
	}
	return nil
}

// check refuses a key that could never work or is too weak.
func (k Key) check() error {
	switch _, ok := dns.IsDomainName(k.Name); {
	case !k.given():
		return nil
	case k.Name == "" || !ok:
		return fmt.Errorf("%q is not the name of a TSIG key", k.Name)
	case k.hash() == nil:
		return fmt.Errorf("TSIG algorithm %q: want hmac-sha256, hmac-sha384 or hmac-sha512", k.Algorithm)
	case len(k.Secret) < MinSecret:
		return fmt.Errorf("the TSIG secret has %d octets: want %d or more", len(k.Secret), MinSecret)
	}
	return nil
}

// sign packs a question, signed when there is a key, and returns what checks the answers.
func (k Key) sign(m *dns.Msg, now time.Time) ([]byte, *tsigCheck, error) {
	if !k.given() {
		wire, err := m.Pack()
		return wire, nil, err
	}
	m.SetTsig(dns.CanonicalName(k.Name), dns.CanonicalName(k.Algorithm), tsigFudge, now.Unix())
	wire, mac, err := dns.TsigGenerate(m, base64.StdEncoding.EncodeToString(k.Secret), "", false)
	if err != nil {
		return nil, nil, err
	}
	raw, err := hex.DecodeString(mac)
	if err != nil {
		return nil, nil, err
	}
	c := &tsigCheck{key: k, mac: hmac.New(k.hash(), k.Secret)}
	c.restart(raw)
	return wire, c, nil
}

// tsigCheck checks the messages of one answer, in their order. The library's own check lets unsigned messages pass; here each
// is covered by the signature of the next signed one, the first is signed, and nothing counts before end has said so.
type tsigCheck struct {
	key      Key
	mac      hash.Hash
	any      bool // a signed message was seen
	unsigned int  // messages since
}

// restart begins the next digest with the signature before it (section 5.3.1).
func (c *tsigCheck) restart(mac []byte) {
	c.mac.Reset()
	c.mac.Write(binary.BigEndian.AppendUint16(nil, uint16(len(mac))))
	c.mac.Write(mac)
}

// message checks the next message. at is where its TSIG record begins, sig that record; nil when it has none.
func (c *tsigCheck) message(raw []byte, at int, sig *dns.TSIG, now time.Time) error {
	if sig == nil {
		if c.unsigned++; !c.any || c.unsigned > maxUnsigned {
			return fmt.Errorf("%w: the answer is not signed", ErrTSIG)
		}
		c.mac.Write(raw)
		return nil
	}
	if err := c.claims(sig); err != nil {
		return err
	}
	head := binary.BigEndian.AppendUint16(nil, sig.OrigId)
	head = append(head, raw[2:10]...)
	head = binary.BigEndian.AppendUint16(head, binary.BigEndian.Uint16(raw[10:])-1) // without the TSIG record
	c.mac.Write(head)
	c.mac.Write(raw[12:at])
	tail, err := c.variables(sig)
	if err != nil {
		return err
	}
	c.mac.Write(tail)
	want, err := hex.DecodeString(sig.MAC)
	if err != nil || !hmac.Equal(want, c.mac.Sum(nil)) {
		return fmt.Errorf("%w: the signature is wrong: the server has another secret, or somebody changed the answer", ErrTSIG)
	}
	if off := now.Sub(time.Unix(int64(sig.TimeSigned), 0)); off.Abs() > time.Duration(sig.Fudge)*time.Second {
		return fmt.Errorf("%w: signed %v off our clock", ErrTSIG, off.Round(time.Second))
	}
	c.any, c.unsigned = true, 0
	c.restart(want)
	return nil
}

// claims compares what the record says of itself.
func (c *tsigCheck) claims(sig *dns.TSIG) error {
	switch {
	case sig.Error != dns.RcodeSuccess:
		return fmt.Errorf("%w: the server says %s", ErrTSIG, tsigError(sig.Error))
	case dns.CanonicalName(sig.Hdr.Name) != dns.CanonicalName(c.key.Name):
		return fmt.Errorf("%w: signed with the key %s", ErrTSIG, dns.CanonicalName(sig.Hdr.Name))
	case dns.CanonicalName(sig.Algorithm) != dns.CanonicalName(c.key.Algorithm):
		return fmt.Errorf("%w: signed with %s", ErrTSIG, dns.CanonicalName(sig.Algorithm))
	}
	return nil
}

// tsigError names an error code of RFC 8945 section 3.
func tsigError(code uint16) string {
	switch code {
	case dns.RcodeBadSig:
		return "BADSIG (it has another secret for the key)"
	case dns.RcodeBadKey:
		return "BADKEY (it does not know the key)"
	case dns.RcodeBadTime:
		return "BADTIME (the clocks differ)"
	case dns.RcodeBadTrunc:
		return "BADTRUNC"
	}
	return fmt.Sprintf("error %d", code)
}

// variables is what is digested behind the message: everything for the first signed one, the time for the others.
func (c *tsigCheck) variables(sig *dns.TSIG) ([]byte, error) {
	var out []byte
	if !c.any {
		for _, name := range [...]string{c.key.Name, c.key.Algorithm} {
			var wire [256]byte
			n, err := dns.PackDomainName(dns.CanonicalName(name), wire[:], 0, nil, false)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrTSIG, err)
			}
			out = append(out, wire[:n]...)
			if len(out) == n { // behind the name of the key: class and time to live
				out = append(out, 0, byte(dns.ClassANY), 0, 0, 0, 0)
			}
		}
	}
	out = binary.BigEndian.AppendUint16(out, uint16(sig.TimeSigned>>32))
	out = binary.BigEndian.AppendUint32(out, uint32(sig.TimeSigned))
	out = binary.BigEndian.AppendUint16(out, sig.Fudge)
	if c.any {
		return out, nil
	}
	other, err := hex.DecodeString(sig.OtherData)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTSIG, err)
	}
	out = binary.BigEndian.AppendUint16(out, sig.Error)
	out = binary.BigEndian.AppendUint16(out, uint16(len(other)))
	return append(out, other...), nil
}

// end says whether the answer may end here: its last message is signed.
func (c *tsigCheck) end() error {
	if c != nil && (!c.any || c.unsigned > 0) {
		return fmt.Errorf("%w: the end of the answer is not signed", ErrTSIG)
	}
	return nil
}
