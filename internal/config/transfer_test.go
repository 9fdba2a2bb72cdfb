package config_test

import (
	"net/netip"
	"strings"
	"testing"

	"weir/internal/config"
)

const minisignKey = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"

// TestProblemsOfTransfers gives every kind of mistake in zones and signatures with the exact report.
func TestProblemsOfTransfers(t *testing.T) {
	t.Parallel()
	const (
		zone = "lists:\n  - name: l\n    transfer: {servers: [10.0.0.1], zone: rpz.example}\n    "
		tsig = "lists:\n  - name: l\n    transfer:\n      servers: [10.0.0.1]\n      zone: rpz.example\n      tsig: "
		url  = "lists:\n  - name: l\n    url: https://lists.example/a\n    "
	)
	for _, tc := range []struct{ name, yaml, want string }{
		{"no servers", "lists:\n  - name: l\n    transfer: {zone: rpz.example}\n", `3:15: lists[0].transfer.servers: servers is missing`},
		{"empty servers", "lists:\n  - name: l\n    transfer: {servers: [], zone: rpz.example}\n", `3:25: lists[0].transfer.servers: an empty list would match nothing or everything: remove the key, or name something`},
		{"server is a name", strings.Replace(zone, "10.0.0.1", "ns.example", 1), `3:26: lists[0].transfer.servers[0]: "ns.example" is not a DNS server's address like 10.0.0.1, 10.0.0.1:53 or [2001:db8::1]:53`},
		{"no zone", "lists:\n  - name: l\n    transfer: {servers: [10.0.0.1]}\n", `3:15: lists[0].transfer.zone: zone is missing`},
		{"zone is an address", strings.Replace(zone, "rpz.example", "10.0.0.2", 1), `3:43: lists[0].transfer.zone: "10.0.0.2" is an address, not a name: addresses and networks have keys of their own`},
		{"two sources", zone + "url: https://lists.example/a\n", `4:10: lists[0].url: transfer and url are given: a list has one source`},
		{"another format", zone + "format: hosts\n", `4:13: lists[0].format: a transferred zone is of format rpz, not hosts`},
		{"digest", zone + "sha256: " + strings.Repeat("ab", 32) + "\n", `4:13: lists[0].sha256: a zone has no digest: it changes record by record; sign it with tsig`},
		{"key without secret", tsig + "{name: weir}\n", `6:13: lists[0].transfer.tsig.secret_file: secret_file is missing`},
		{"empty secret", tsig + "{name: weir, secret_file: \"\"}\n", `6:39: lists[0].transfer.tsig.secret_file: empty path`},
		{"weak algorithm", tsig + "{name: weir, algorithm: hmac-md5, secret_file: /s}\n", `6:37: lists[0].transfer.tsig.algorithm: unknown algorithm "hmac-md5" (one of hmac-sha256, hmac-sha384, hmac-sha512)`},
		{"secret in the config", tsig + "{name: weir, secret: abc, secret_file: /s}\n", `6:26: lists[0].transfer.tsig.secret: unknown key "secret"`},
		{"key of minisign", url + "minisign: RWabc\n", `4:15: lists[0].minisign: not a public key of minisign: want the line of 56 characters that begins with RW`},
		{"minisign without URL", zone + "minisign: " + minisignKey + "\n", `4:15: lists[0].minisign: only a list with a url has a signature`},
		{"signature without key", url + "signature_url: https://lists.example/sig\n", `4:20: lists[0].signature_url: without minisign, the public key, nothing is checked`},
		{"signature without TLS", url + "minisign: " + minisignKey + "\n    signature_url: http://lists.example/sig\n", `5:20: lists[0].signature_url: not an https:// URL: lists come over HTTPS or from a file`},
	} {
		t.Run(tc.name, func(t *testing.T) { expect(t, tc.yaml, tc.want) })
	}
}

// TestTransfer reads what is right.
func TestTransfer(t *testing.T) {
	t.Parallel()
	f, problems := config.Parse("weir.yaml", []byte(`lists:
  - name: zone
    transfer:
      servers: [10.0.0.1, "[2001:db8::1]:5353"]
      zone: RPZ.example.
      tsig: {name: weir.key, secret_file: /etc/weir/tsig}
    expires: 12h
  - name: signed
    url: https://lists.example/a
    minisign: `+minisignKey+`
    signature_url: https://lists.example/a.sig
    refresh: 2h
`), known())
	if problems != nil {
		t.Fatal(problems)
	}
	got := f.Lists[0].Transfer
	if len(got.Servers) != 2 || got.Servers[0].AddrPort != netip.MustParseAddrPort("10.0.0.1:53") || got.Servers[1].Port() != 5353 ||
		got.Zone.String() != "rpz.example" || got.TSIG.Algorithm != config.HMACSHA256 || !got.TSIG.Given() {
		t.Errorf("got %+v", got)
	}
	if f.Given("lists[0].refresh") || !f.Given("lists[1].refresh") || f.Lists[1].Transfer.Given() {
		t.Error("what is given")
	}
}
