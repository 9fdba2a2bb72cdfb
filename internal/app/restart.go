package app

import (
	"reflect"

	"weir/internal/config"
)

// needRestart names the keys that differ between two config files and that only a restart puts in force. All others are policy
// and lists, which a reload swaps.
func needRestart(old, next *config.File) []string {
	var changed []string
	for _, part := range []struct {
		key       string
		old, next any
	}{
		{"data_dir", old.DataDir, next.DataDir},
		{"proxy.listen", old.Proxy.Listen, next.Proxy.Listen},
		{"proxy.limits", old.Proxy.Limits, next.Proxy.Limits},
		{"proxy.upstream", old.Proxy.Upstream, next.Proxy.Upstream},
		{"resolver.listen", old.Resolver.Listen, next.Resolver.Listen},
		{"resolver.cache", old.Resolver.Cache, next.Resolver.Cache},
		{"resolver.timeout", old.Resolver.Timeout, next.Resolver.Timeout},
		{"admin", old.Admin, next.Admin},
		{"events", old.Events, next.Events},
		{"log", old.Log, next.Log},
		{"ca", old.CA, next.CA},
	} {
		if !reflect.DeepEqual(part.old, part.next) {
			changed = append(changed, part.key)
		}
	}
	return changed
}
