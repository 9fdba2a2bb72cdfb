package address_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"weir/internal/address"
)

func TestParseIPv4Legacy(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in     string
		want   string // "" for none
		number bool
		err    error
	}{
		{"127.0.0.1", "127.0.0.1", true, nil},
		{"127.0.0.1.", "127.0.0.1", true, nil},
		{"127.1", "127.0.0.1", true, nil},
		{"127.0.1", "127.0.0.1", true, nil},
		{"127.65535", "127.0.255.255", true, nil},
		{"0x7f.1", "127.0.0.1", true, nil},
		{"0X7F.0x1", "127.0.0.1", true, nil},
		{"2130706433", "127.0.0.1", true, nil},
		{"2130706433.", "127.0.0.1", true, nil},
		{"0x7f000001", "127.0.0.1", true, nil},
		{"017700000001", "127.0.0.1", true, nil},
		{"0177.0.0.1", "127.0.0.1", true, nil},
		{"0177.0.0.0x1", "127.0.0.1", true, nil},
		{"0xa9fea9fe", "169.254.169.254", true, nil},
		{"169.254.43518", "169.254.169.254", true, nil},
		{"0", "0.0.0.0", true, nil},
		{"0x", "0.0.0.0", true, nil},
		{"4294967295", "255.255.255.255", true, nil},
		{"00000000000000000000001", "0.0.0.1", true, nil},
		{"4294967296", "", true, address.ErrOutOfRange},
		{"99999999999999999999999999", "", true, address.ErrOutOfRange},
		{"256.0.0.1", "", true, address.ErrOutOfRange},
		{"1.2.3.256", "", true, address.ErrOutOfRange},
		{"1.2.65536", "", true, address.ErrOutOfRange},
		{"1.2.3.4.5", "", true, address.ErrTooManyParts},
		{"08", "", true, address.ErrBadNumber},
		{"1.2.3.09", "", true, address.ErrBadNumber},
		{"a.1", "", true, address.ErrBadNumber},
		{"1..2", "", true, address.ErrBadNumber},
		{".1", "", true, address.ErrBadNumber},
		{"example.0x1", "", true, address.ErrBadNumber},
		{"example.org", "", false, nil},
		{"1.example", "", false, nil},
		{"1.2.3.4a", "", false, nil},
		{"0xg", "", false, nil},
		{"1..", "", false, nil},
		{"", "", false, nil},
		{".", "", false, nil},
		{"-1", "", false, nil},
		{"+1", "", false, nil},
		{"localhost.", "", false, nil},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			t.Parallel()
			got, number, err := address.ParseIPv4Legacy(tt.in)
			if number != tt.number || !errors.Is(err, tt.err) {
				t.Fatalf("ParseIPv4Legacy(%q) = %v, %v, %v", tt.in, got, number, err)
			}
			if got.IsValid() != (tt.want != "") || tt.want != "" && got.String() != tt.want {
				t.Errorf("ParseIPv4Legacy(%q) = %v, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func FuzzParseIPv4Legacy(f *testing.F) {
	for _, s := range []string{"127.0.0.1", "0x7f.1", "017700000001", "1.2.3.4.", "a.b", "0x"} {
		f.Add(s, uint32(0x7f000001))
	}
	f.Fuzz(func(t *testing.T, s string, v uint32) {
		// What netip reads as IPv4, this reads alike; what this calls a name, netip
		// does not read.
		got, number, err := address.ParseIPv4Legacy(s)
		if strict, e := netip.ParseAddr(s); e == nil && strict.Is4() && (err != nil || got != strict) {
			t.Errorf("%q: netip reads %v, we read %v, %v", s, strict, got, err)
		}
		if (err != nil || got.IsValid()) && !number || number && (err == nil) != got.Is4() {
			t.Errorf("%q: %v, %v, %v", s, got, number, err)
		}
		// Print in every form, parse back.
		want := netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
		for _, form := range []string{
			fmt.Sprintf("%d", v), fmt.Sprintf("0x%x", v), fmt.Sprintf("0%o", v),
			fmt.Sprintf("%d.%d", v>>24, v&0xffffff), fmt.Sprintf("%d.0x%X.%d.", v>>24, v>>16&0xff, v&0xffff),
		} {
			if got, number, err := address.ParseIPv4Legacy(form); got != want || !number || err != nil {
				t.Errorf("%q = %v, %v, %v; want %v", form, got, number, err, want)
			}
		}
	})
}
