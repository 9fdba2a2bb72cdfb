package address_test

import (
	"net/netip"
	"testing"

	"weir/internal/address"
)

func TestScopeOf(t *testing.T) {
	t.Parallel()
	tests := []struct {
		addr string
		want address.Scope
	}{
		// IPv4
		{"8.8.8.8", address.Public},
		{"1.1.1.1", address.Public},
		{"192.0.0.9", address.Public},
		{"192.31.196.1", address.Public},
		{"223.255.255.255", address.Public},
		{"172.15.255.255", address.Public},
		{"172.32.0.0", address.Public},
		{"100.63.255.255", address.Public},
		{"100.128.0.0", address.Public},
		{"10.0.0.1", address.Private},
		{"172.16.0.1", address.Private},
		{"172.31.255.255", address.Private},
		{"192.168.1.1", address.Private},
		{"127.0.0.1", address.Loopback},
		{"127.255.255.255", address.Loopback},
		{"0.0.0.0", address.Unspecified},
		{"0.1.2.3", address.Unspecified},
		{"169.254.1.1", address.LinkLocal},
		{"169.254.169.254", address.Metadata},
		{"169.254.170.2", address.Metadata},
		{"169.254.170.23", address.Metadata},
		{"100.100.100.200", address.Metadata},
		{"168.63.129.16", address.Metadata},
		{"192.0.0.192", address.Metadata},
		{"100.64.0.1", address.CGNAT},
		{"100.127.255.255", address.CGNAT},
		{"192.0.0.1", address.Reserved},
		{"192.0.2.1", address.Documentation},
		{"198.51.100.1", address.Documentation},
		{"203.0.113.1", address.Documentation},
		{"192.88.99.1", address.Reserved},
		{"198.18.0.1", address.Benchmark},
		{"198.19.255.255", address.Benchmark},
		{"224.0.0.1", address.Multicast},
		{"239.255.255.250", address.Multicast},
		{"240.0.0.1", address.Reserved},
		{"255.255.255.255", address.Broadcast},
		// IPv6
		{"2606:4700:4700::1111", address.Public},
		{"2a00:1450::1", address.Public},
		{"2001:4860:4860::8888", address.Public},
		{"2001:3::1", address.Public},
		{"2001:4:112::1", address.Public},
		{"2620:4f:8000::1", address.Public},
		{"::", address.Unspecified},
		{"::1", address.Loopback},
		{"fe80::1", address.LinkLocal},
		{"fe80::1%eth0", address.LinkLocal},
		{"febf::1", address.LinkLocal},
		{"fec0::1", address.Private},
		{"fc00::1", address.Private},
		{"fdff::1", address.Private},
		{"fd00:ec2::254", address.Metadata},
		{"fd00:ec2::254%1", address.Metadata},
		{"fd20:ce::254", address.Metadata},
		{"ff02::1", address.Multicast},
		{"2001:db8::1", address.Documentation},
		{"3fff::1", address.Documentation},
		{"2001:2::1", address.Benchmark},
		{"2001:20::1", address.Reserved},
		{"2001:10::1", address.Reserved},
		{"100::1", address.Reserved},
		{"100:0:0:1::1", address.Reserved},
		{"5f00::1", address.Reserved},
		{"4000::1", address.Reserved},
		// v4-mapped and v4-compatible
		{"::ffff:8.8.8.8", address.Public},
		{"::ffff:127.0.0.1", address.Loopback},
		{"::ffff:169.254.169.254", address.Metadata},
		{"::ffff:10.0.0.1%eth0", address.Private},
		{"::127.0.0.1", address.Loopback},
		{"::169.254.169.254", address.Metadata},
		{"::8.8.8.8", address.Reserved},
		{"::2", address.Unspecified},
		{"::ffff:0:127.0.0.1", address.Reserved}, // SIIT (RFC 2765), not routed
		// NAT64
		{"64:ff9b::8.8.8.8", address.Public},
		{"64:ff9b::10.0.0.1", address.Private},
		{"64:ff9b::169.254.169.254", address.Metadata},
		{"64:ff9b::127.0.0.1", address.Loopback},
		{"64:ff9b::1:8.8.8.8", address.Reserved}, // outside the /96
		{"64:ff9b:1::8.8.8.8", address.Public},
		{"64:ff9b:1::10.0.0.1", address.Private},
		{"64:ff9b:1::169.254.169.254", address.Metadata},
		{"64:ff9b:1:a00:0:100::", address.Private},         // 10.0.0.1 in a /48
		{"64:ff9b:1:7f00:0:100:808:808", address.Loopback}, // 127.0.0.1 in a /48, decoy behind
		{"64:ff9b:1:ab0a:0:1:0:0", address.Private},        // 10.0.1.0 in a /56
		{"64:ff9b:1:0:a9:fea9:fe00:0", address.Metadata},   // 169.254.169.254 in a /64
		{"64:ff9b:1:808:8:800::", address.Public},          // 8.8.8.8 in a /48
		{"64:ff9b:1::", address.Unspecified},
		// 6to4
		{"2002:808:808::1", address.Public},
		{"2002:7f00:1::1", address.Loopback},
		{"2002:a00:1::", address.Private},
		{"2002:a9fe:a9fe::", address.Metadata},
		{"2002:c0a8:101::1", address.Private},
		// Teredo: server 65.54.227.120, client inverted
		{"2001:0:4136:e378:8000:63bf:f7f7:f7f7", address.Public},
		{"2001:0:4136:e378:8000:63bf:80ff:fffe", address.Loopback},
		{"2001:0:4136:e378:8000:63bf:5601:5601", address.Metadata},
		{"2001:0:a00:1:8000:63bf:f7f7:f7f7", address.Private}, // the server
		// ISATAP
		{"2606:4700::5efe:8.8.8.8", address.Public},
		{"2606:4700::5efe:10.0.0.1", address.Private},
		{"2606:4700::200:5efe:127.0.0.1", address.Loopback},
		{"fe80::5efe:8.8.8.8", address.LinkLocal},
		{"2002:808:808::5efe:10.0.0.1", address.Private},
		{"64:ff9b:1:0:0:5efe:7f00:1", address.Loopback},
	}
	for _, tt := range tests {
		t.Run(tt.addr, func(t *testing.T) {
			t.Parallel()
			a := netip.MustParseAddr(tt.addr)
			if got := address.ScopeOf(a); got != tt.want {
				t.Errorf("ScopeOf(%s) = %v, want %v", a, got, tt.want)
			}
			if got := address.IsPublic(a); got != (tt.want == address.Public) {
				t.Errorf("IsPublic(%s) = %v", a, got)
			}
		})
	}
}

func TestZero(t *testing.T) {
	t.Parallel()
	var zero address.Scope
	if zero == address.Public || zero.String() != "invalid" || address.Scope(200).String() != "invalid" {
		t.Error("the zero or an unknown Scope must be invalid")
	}
	if got := address.ScopeOf(netip.Addr{}); got != address.Invalid {
		t.Errorf("ScopeOf(zero) = %v", got)
	}
	if got := address.Unwrap(netip.Addr{}); got.IsValid() {
		t.Errorf("Unwrap(zero) = %v", got)
	}
}

func TestUnwrap(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"192.0.2.1", "192.0.2.1"},
		{"2001:db8::1", "2001:db8::1"},
		{"fe80::1%eth0", "fe80::1"},
		{"::", "::"},
		{"::1", "::1"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"::ffff:192.0.2.1%eth0", "192.0.2.1"},
		{"::192.0.2.1", "192.0.2.1"},
		{"64:ff9b::192.0.2.1", "192.0.2.1"},
		{"64:ff9b:1::192.0.2.1", "192.0.2.1"},
		{"64:ff9b:1:c000:2:100::", "192.0.2.1"}, // /48, the example's bits of RFC 6052 2.4
		{"2002:c000:201::1", "192.0.2.1"},
		{"2001:0:4136:e378:8000:63bf:3fff:fdd2", "192.0.2.45"}, // RFC 4380's client
		{"2606:4700::5efe:192.0.2.1", "192.0.2.1"},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			t.Parallel()
			if got := address.Unwrap(netip.MustParseAddr(tt.in)); got.String() != tt.want {
				t.Errorf("Unwrap(%s) = %s, want %s", tt.in, got, tt.want)
			}
		})
	}
}

// Judging stands on the path of every dial and every answer.
func TestScopeOfAllocs(t *testing.T) {
	a := netip.MustParseAddr("64:ff9b:1::5efe:10.0.0.1")
	if n := testing.AllocsPerRun(100, func() { _ = address.ScopeOf(a); _ = address.Unwrap(a) }); n != 0 {
		t.Errorf("ScopeOf allocates %v times, want 0", n)
	}
}

// embed builds every embedding of v4; the inverse of what Unwrap does.
func embed(v4 [4]byte, filler uint16) map[string]netip.Addr {
	put := func(template string, at [4]int, invert byte) netip.Addr {
		b := netip.MustParseAddr(template).As16()
		for i, pos := range at {
			b[pos] = v4[i] ^ invert
		}
		return netip.AddrFrom16(b)
	}
	tail := [4]int{12, 13, 14, 15}
	hi, lo := byte(filler>>8), byte(filler)
	six := put("2002::", [4]int{2, 3, 4, 5}, 0).As16()
	six[6], six[15] = hi, lo
	ter := put("2001:0:4136:e378::", tail, 0xff).As16()
	ter[10], ter[11] = hi, lo
	return map[string]netip.Addr{
		"mapped":    put("::ffff:0:0", tail, 0),
		"nat64":     put("64:ff9b::", tail, 0),
		"local /96": put("64:ff9b:1::", tail, 0),
		"local /64": put("64:ff9b:1::", [4]int{9, 10, 11, 12}, 0),
		"local /56": put("64:ff9b:1::", [4]int{7, 9, 10, 11}, 0),
		"local /48": put("64:ff9b:1::", [4]int{6, 7, 9, 10}, 0),
		"6to4":      netip.AddrFrom16(six),
		"teredo":    netip.AddrFrom16(ter),
		"isatap":    put("2606:4700::5efe:0:0", tail, 0),
		"isatap u":  put("2606:4700::200:5efe:0:0", tail, 0),
	}
}

func FuzzEmbedding(f *testing.F) {
	f.Add([]byte{10, 0, 0, 1}, uint16(0))
	f.Add([]byte{169, 254, 169, 254}, uint16(1))
	f.Add([]byte{8, 8, 8, 8}, uint16(0x5efe))
	f.Add([]byte{127, 0, 0, 1}, uint16(0xffff))
	f.Fuzz(func(t *testing.T, raw []byte, filler uint16) {
		if len(raw) != 4 {
			return
		}
		octets := [4]byte(raw)
		v4 := netip.AddrFrom4(octets)
		private := !address.IsPublic(v4)
		for kind, a := range embed(octets, filler) {
			inLocal := len(kind) > 5 && kind[:5] == "local"
			if inLocal && octets[0] == 0 {
				continue // 0.0.0.0/8 is no destination of a translator
			}
			if got := address.Unwrap(a); got != v4 {
				t.Errorf("%s: Unwrap(%s) = %s, want %s", kind, a, got, v4)
			}
			if private && address.ScopeOf(a) > address.ScopeOf(v4) {
				t.Errorf("%s: ScopeOf(%s) = %v, but %s is %v", kind, a, address.ScopeOf(a), v4, address.ScopeOf(v4))
			}
			if got := address.ScopeOf(a.WithZone("eth0")); got != address.ScopeOf(a) {
				t.Errorf("%s: the zone changes the scope of %s to %v", kind, a, got)
			}
		}
	})
}
