package tlshello

import (
	"crypto/md5" //nolint:gosec // JA3 is defined with MD5; nothing is secured by it
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// IsGREASE reports the reserved values of RFC 8701: 0x0a0a, 0x1a1a, ... 0xfafa.
func IsGREASE(v uint16) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff }

// JA3 is the string version,ciphers,extensions,curves,formats in decimals
// joined by dashes, without GREASE (Salesforce, BSD-3), and its MD5 in hex.
// Browsers that shuffle extensions have no stable JA3.
func (h *Hello) JA3() (text, md5hex string) {
	points := make([]uint16, len(h.PointFormats))
	for i, p := range h.PointFormats {
		points[i] = uint16(p)
	}
	var b []byte
	b = strconv.AppendUint(b, uint64(h.LegacyVersion), 10)
	for _, list := range [][]uint16{h.CipherSuites, h.Extensions, h.Curves, points} {
		b = append(b, ',')
		first := true
		for _, v := range list {
			if IsGREASE(v) {
				continue
			}
			if !first {
				b = append(b, '-')
			}
			first = false
			b = strconv.AppendUint(b, uint64(v), 10)
		}
	}
	sum := md5.Sum(b) //nolint:gosec // see the import
	return string(b), hex.EncodeToString(sum[:])
}

// JA4 is the fingerprint of a hello over TCP (FoxIO JA4, BSD-3): it sorts
// ciphers and extensions, so that shuffling changes nothing.
func (h *Hello) JA4() string {
	ciphers, exts := withoutGREASE(h.CipherSuites), withoutGREASE(h.Extensions)
	sni := byte('i')
	if h.HasServerName {
		sni = 'd'
	}
	head := fmt.Sprintf("t%s%c%02d%02d%s", h.ja4Version(), sni, min(len(ciphers), 99), min(len(exts), 99), h.ja4ALPN())
	exts = slices.DeleteFunc(exts, func(v uint16) bool { return v == ExtServerName || v == ExtALPN })
	slices.Sort(ciphers)
	slices.Sort(exts)
	tail := hexList(exts)
	if sig := withoutGREASE(h.SignatureAlgorithms); len(sig) > 0 && tail != "" {
		tail += "_" + hexList(sig)
	}
	return head + "_" + short(hexList(ciphers)) + "_" + short(tail)
}

func withoutGREASE(list []uint16) []uint16 {
	return slices.DeleteFunc(slices.Clone(list), IsGREASE)
}

func hexList(list []uint16) string {
	s := make([]string, len(list))
	for i, v := range list {
		s[i] = fmt.Sprintf("%04x", v)
	}
	return strings.Join(s, ",")
}

// short is 12 hex digits of SHA-256, or zeros for nothing.
func short(s string) string {
	if s == "" {
		return "000000000000"
	}
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:6])
}

// ja4Version is the highest version offered.
func (h *Hello) ja4Version() string {
	v := h.LegacyVersion
	if offered := withoutGREASE(h.Versions); len(offered) > 0 {
		v = slices.Max(offered)
	}
	switch v {
	case 0x0304:
		return "13"
	case 0x0303:
		return "12"
	case 0x0302:
		return "11"
	case 0x0301:
		return "10"
	case 0x0300:
		return "s3"
	case 0x0002:
		return "s2"
	}
	return "00"
}

// ja4ALPN is the first and last character of the first protocol, or of its hex
// form where one of them is no letter or digit.
func (h *Hello) ja4ALPN() string {
	if len(h.ALPN) == 0 {
		return "00"
	}
	p := h.ALPN[0]
	if !alnum(p[0]) || !alnum(p[len(p)-1]) {
		p = hex.EncodeToString([]byte(p))
	}
	return string([]byte{p[0], p[len(p)-1]})
}

func alnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
