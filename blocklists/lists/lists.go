// Package lists holds the lists that are built in: small, written for weir, each entry under a comment that names its source.
// They work without network from the first packet.
package lists

import (
	_ "embed"

	"weir/blocklists/format"
	"weir/blocklists/set"
	"weir/blocklists/source"
)

var (
	//go:embed bad.txt
	bad string
	//go:embed ip-lookup.txt
	ipLookup string
	//go:embed dynamic-dns.txt
	dynamicDNS string
	//go:embed doh.txt
	doh string
	//go:embed tunnels.txt
	tunnels string
	//go:embed free-hosting.txt
	freeHosting string
	//go:embed shared.txt
	shared string
	//go:embed known.txt
	known string
)

// Builtin returns the built-in lists, worst class first, ready for [source.Config]. Their names start with "weir-".
func Builtin() []source.Source {
	return []source.Source{
		builtin("weir-bad", set.ClassBad, "c2", bad),
		builtin("weir-ip-lookup", set.ClassUntrusted, "ip-lookup", ipLookup),
		builtin("weir-dynamic-dns", set.ClassUntrusted, "dynamic-dns", dynamicDNS),
		builtin("weir-doh", set.ClassUntrusted, "doh", doh),
		builtin("weir-tunnels", set.ClassUntrusted, "tunnel", tunnels),
		builtin("weir-free-hosting", set.ClassUntrusted, "free-hosting", freeHosting),
		builtin("weir-shared", set.ClassShared, "shared-hosting", shared),
		builtin("weir-known", set.ClassKnown, "popular", known),
	}
}

func builtin(name string, class set.Class, category, text string) source.Source {
	return source.Source{List: set.List{Name: name, Class: class, Category: category}, Text: text, Format: format.Adblock}
}
