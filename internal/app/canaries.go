package app

import (
	"net/netip"
	"os"
	"slices"

	"weir/blocklists"
	"weir/blocklists/lists"
	"weir/blocklists/source"
	"weir/internal/config"
	"weir/internal/hostname"
	"weir/resolver/upstream"
)

// canaries are what no list may block: what is in the config file and on this machine, and the names that everybody needs.
func canaries(f *config.File) []source.Canary {
	out := lists.Canaries()
	addr := func(a netip.Addr, why string) {
		if a.IsValid() && !a.IsUnspecified() && !a.IsLoopback() { // loopback is private space; what it names is another machine for each
			a = a.WithZone("")
			out = append(out, source.Canary{Prefix: netip.PrefixFrom(a, a.BitLen()), Why: why})
		}
	}
	for _, a := range f.Proxy.Listen {
		addr(a.Addr(), "the proxy's own address")
	}
	for _, a := range f.Resolver.Listen {
		addr(a.Addr(), "the resolver's own address")
	}
	addr(f.Admin.Listen.Addr(), "the address of the admin listener")
	servers, why := dnsServers(f, "")
	for _, a := range servers {
		addr(a, why)
	}
	for _, a := range f.Internal.Upstreams {
		addr(a.Addr(), "an internal DNS upstream")
	}
	for _, l := range f.Lists {
		for _, a := range l.Transfer.Servers {
			addr(a.Addr(), "a name server of the list "+l.Name)
		}
	}
	for _, z := range f.Internal.Zones {
		out = append(out, source.Canary{Name: z.Name, Within: true, Why: "an internal zone"})
	}
	for _, n := range f.Internal.Networks {
		out = append(out, source.Canary{Prefix: n.Prefix, Within: true, Why: "an internal network"})
	}
	return append(out, ownName()...)
}

// dnsServers are those that queries go to, of the config or else of the system, as the resolver takes them, and what they are. file
// stands in for /etc/resolv.conf.
func dnsServers(f *config.File, file string) (out []netip.Addr, why string) {
	for _, a := range f.Resolver.Upstreams {
		out = append(out, a.Addr())
	}
	if len(out) > 0 {
		return out, "a DNS upstream"
	}
	system, err := upstream.System(file)
	if err != nil { // the resolver says so when it starts
		return nil, ""
	}
	for _, a := range system {
		out = append(out, a.Addr())
	}
	return out, "a DNS upstream of this machine, from " + upstream.ResolvConf
}

// ownName is the name of this machine, where it has one that others could ask for.
func ownName() []source.Canary {
	text, err := os.Hostname()
	if err != nil {
		return nil
	}
	name, err := hostname.Parse(text)
	if err != nil || name.Labels() < 2 {
		return nil
	}
	return []source.Canary{{Name: name, Why: "the name of this machine"}}
}

// endsInBlock says whether rules, or the action of its class, may block what a list holds: all of a name or an address, for no other
// reason than that the list holds it. Rules that are tried out count: they show what would be blocked. Of the built-in lists nobody
// asks this: who blocks the classes shared and known means what weir takes for it.
func endsInBlock(f *config.File, l *blocklists.List) bool {
	class := config.Class(l.Class.String())
	acts := map[config.Class]config.Action{"shared": f.Reputation.Shared, "known": f.Reputation.Known}
	if l.Action == blocklists.ActionByClass && acts[class] == config.Block {
		return true
	}
	return slices.ContainsFunc(f.Rules, func(r config.Rule) bool {
		narrow := len(r.Names) + len(r.URLs) + len(r.Addresses) + len(r.ContentTypes) + len(r.Detectors)
		if r.Action != config.RuleBlock || narrow > 0 || r.MinSeverity != "" {
			return false
		}
		return slices.Contains(r.Lists, l.Name) || l.Category != "" && slices.Contains(r.Categories, l.Category) || slices.Contains(r.Classes, class)
	})
}
