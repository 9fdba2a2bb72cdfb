package tenant_test

import (
	"net/url"
	"strings"
	"testing"

	"weir/internal/hostname"
	"weir/internal/reputation/tenant"
	"weir/internal/weburl"
)

// FuzzOf: a key begins with its service and has a tenant behind it; spelling the path otherwise than canonical, and dropping what
// lies behind the tenant, never gives another tenant's key; a token behind a Telegram bot never shows.
func FuzzOf(f *testing.F) {
	f.Add("bucket.s3.amazonaws.com", "/k")
	f.Add("s3.eu-west-1.amazonaws.com", "/bucket/../other/k")
	f.Add("api.telegram.org", "/bot123:AA-secret/sendMessage")
	f.Add("drive.google.com", "/uc?id=a&id=b")
	f.Add("objectstorage.x.oraclecloud.com", "/p/secret/n/space/b/bucket/o")
	f.Add("a.b.uk.com", "")
	f.Fuzz(func(t *testing.T, host, path string) {
		name, err := hostname.FromDNS(host)
		if err != nil {
			return
		}
		key, service, ok := tenant.Of(name, path)
		if !ok && (key != "" || service != "") {
			t.Fatalf("Of(%s, %q) = %q %q without ok", name, path, key, service)
		}
		if key != "" && (!strings.HasPrefix(key, service+"/") && !strings.HasPrefix(key, service+"-") || strings.HasSuffix(key, "/")) {
			t.Fatalf("Of(%s, %q) = %q of %q", name, path, key, service)
		}
		if key != "" && key == name.String() {
			t.Fatalf("Of(%s, %q): the name is the key", name, path)
		}
		if again, _, _ := tenant.Of(name, strings.ReplaceAll(path, "/", "//")); again != key && !strings.Contains(path, "?") {
			t.Fatalf("Of(%s, %q) = %q, with doubled slashes %q", name, path, key, again)
		}
		u, err := url.Parse("https://" + name.String() + path)
		if err != nil || !strings.HasPrefix(path, "/") || u.Host != name.String() {
			return
		}
		canonical := weburl.Canonical("https", hostname.Authority{Name: name}, u)
		canonical = strings.TrimPrefix(canonical, "https://"+name.String())
		if spelled, _, _ := tenant.Of(name, canonical); key != "" && spelled != key && !strings.Contains(key, "%") {
			t.Fatalf("Of(%s, %q) = %q, but of the canonical %q %q", name, path, key, canonical, spelled)
		}
		if got, _, _ := tenant.Of(hostname.MustParse("api.telegram.org"), "/bot7:T0KEN"+path); strings.Contains(got, "T0KEN") || got != "" && got != "telegram/7" {
			t.Fatalf("a bot's token in %q", got)
		}
	})
}

// TestAllocations: the table costs none. Where it does not have the name, the one that is left is x/net's: publicsuffix asks netip
// whether the name is an address, and the error that says no is allocated.
func TestAllocations(t *testing.T) {
	for host, budget := range map[string]float64{
		"fonts.googleapis.com": 0, "s3.eu-west-1.amazonaws.com": 0, "api.telegram.org": 0, "github.com": 0, "discord.com": 0,
		"www.example.com": 1, "a.b.c.example.co.uk": 1, "localhost": 1, "sts.eu-west-1.amazonaws.com": 1,
	} {
		name := hostname.MustParse(host)
		if n := testing.AllocsPerRun(100, func() { tenant.Of(name, "/?d=e") }); n > budget {
			t.Errorf("%s: %v allocations, %v allowed", name, n, budget)
		}
	}
}

func BenchmarkOf(b *testing.B) {
	for _, bench := range []struct{ name, host, path string }{
		{"miss", "www.shop.example.com", "/a/b/c"},
		{"host", "bucket.s3.eu-west-1.amazonaws.com", "/k"},
		{"path", "api.telegram.org", "/bot123456:AAxyz/sendMessage"},
		{"suffix-list", "shop.example.uk.com", "/"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			name := hostname.MustParse(bench.host)
			b.ReportAllocs()
			for b.Loop() {
				tenant.Of(name, bench.path)
			}
		})
	}
}
