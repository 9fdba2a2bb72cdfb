package app

import (
	"reflect"

	"weir/internal/config"
)

// setting is a key of the config file with its value.
type setting struct {
	key   string
	value any
}

// restartOnly are the keys that only a restart puts in force. All others are policy, lists and upstreams, which a reload swaps.
func restartOnly(f *config.File) []setting {
	return []setting{
		{"data_dir", f.DataDir},
		{"proxy.listen", f.Proxy.Listen},
		{"proxy.limits", f.Proxy.Limits},
		{"proxy.upstream", f.Proxy.Upstream},
		{"resolver.listen", f.Resolver.Listen},
		{"resolver.cache", f.Resolver.Cache},
		{"resolver.timeout", f.Resolver.Timeout},
		{"admin", f.Admin},
		{"events", f.Events},
		{"log", f.Log},
		{"ca", f.CA},
		{"reputation.remember", f.Reputation.Remember},
	}
}

// needRestart names the keys in which a config file differs from the one that the process started with, and that only a restart
// puts in force.
func needRestart(started, next *config.File) []string {
	var changed []string
	now := restartOnly(next)
	for i, was := range restartOnly(started) {
		if !reflect.DeepEqual(was.value, now[i].value) {
			changed = append(changed, was.key)
		}
	}
	return changed
}
