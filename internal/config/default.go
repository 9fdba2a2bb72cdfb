package config

import (
	"net/netip"
	"time"
)

const day = 24 * time.Hour

// Default returns what an empty file means.
func Default() *File {
	return &File{
		Version: 1,
		Mode:    Enforce,
		Proxy: Proxy{
			Listen:       []AddrPort{mustAddrPort("127.0.0.1:3128")},
			ConnectPorts: []uint16{443, 8443},
			HTTPPorts:    []uint16{80, 8000, 8008, 8080, 8081, 8888},
			Limits:       defaultLimits(),
			Upstream:     Upstream{Roots: RootsSystem, MinTLS: TLS12},
		},
		Resolver: Resolver{
			Listen:      []AddrPort{mustAddrPort("127.0.0.1:1053")},
			Cache:       Cache{Entries: 65536, MaxTTL: Duration(day), NegativeTTL: Duration(5 * time.Minute)},
			BlockAnswer: AnswerNXDOMAIN,
			BlockTTL:    Duration(time.Minute),
			Timeout:     Duration(3 * time.Second),
		},
		Admin:        Admin{Listen: mustAddrPort("127.0.0.1:8090")},
		Clients:      Clients{Serve: []ClientNet{{Word: ServePrivate}}},
		BuiltinLists: true,
		Reputation:   defaultReputation(),
		Default:      Allow,
		Interception: Interception{Default: InterceptTLS},
		Inspection: Inspection{
			Hold: 64 << 10, HoldWait: Duration(100 * time.Millisecond),
			MaxBody: 64 << 20, MaxMessage: 16 << 20, MaxDepth: 4, MaxRatio: 200, MaxTime: Duration(5 * time.Second),
			OnLimit: FailLog, OnExpansion: FailBlock, OnError: FailLog, OnTimeout: FailBlock, OnPanic: FailBlock,
		},
		Events: Events{File: "-", IncludeAllowed: true, Queue: 65536},
		Log:    Log{Level: LevelInfo, Format: FormatText},
		CA:     CA{Organization: "weir", LeafLifetime: Duration(14 * day), Cache: 4096},
	}
}

func defaultLimits() Limits {
	return Limits{
		MaxConnections:          4096,
		MaxConnectionsPerClient: 512,
		HeaderTimeout:           Duration(10 * time.Second),
		IdleTimeout:             Duration(time.Minute),
		TunnelIdleTimeout:       Duration(10 * time.Minute),
		TunnelLifetime:          Duration(12 * time.Hour),
		DialTimeout:             Duration(5 * time.Second),
		TLSHandshakeTimeout:     Duration(10 * time.Second),
		ResponseHeaderTimeout:   Duration(time.Minute),
		DrainTimeout:            Duration(20 * time.Second),
	}
}

func mustAddrPort(s string) AddrPort { return AddrPort{netip.MustParseAddrPort(s)} }
