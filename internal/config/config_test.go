package config_test

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"weir/internal/config"
	"weir/internal/hostname"
)

func TestNothingSetIsDefault(t *testing.T) {
	t.Parallel()
	for name, yaml := range map[string]string{
		"empty file":              "",
		"only comments":           "# nothing\n",
		"an empty document":       "---\n...\n",
		"an empty section":        "{}\n",
		"sections without values": "proxy:\n  limits:\nrules:\nlists:\ngroups:\ndetectors:\n",
		"lists without entries":   "rules: []\nlists: []\ndetectors: {}\n",
	} {
		t.Run(name, func(t *testing.T) {
			f, problems := config.Parse("weir.yaml", []byte(yaml), known())
			if problems != nil {
				t.Fatal(problems)
			}
			if f.Name() != "weir.yaml" {
				t.Errorf("name %q", f.Name())
			}
			if !reflect.DeepEqual(config.WithoutSource(f), config.Default()) {
				t.Errorf("differs from Default: %+v", f)
			}
		})
	}
}

func TestDefaultIsValid(t *testing.T) {
	t.Parallel()
	if problems := config.Default().Validate(known()); problems != nil {
		t.Error(problems)
	}
}

func TestFullFile(t *testing.T) {
	t.Parallel()
	f, err := config.Load(filepath.Join("testdata", "full.yaml"), config.Known{})
	if err != nil {
		t.Fatal(err)
	}
	com, org, net := hostname.MustParse("example.com"), hostname.MustParse("example.org"), hostname.MustParse("example.net")
	wantRule := config.Rule{
		Name:      "let-updates-through",
		Groups:    []string{"lab"},
		Protocols: []config.Protocol{config.HTTP, config.WebSocket, config.DNS},
		Names:     []config.NamePattern{{Kind: config.Exact, Name: com}, {Kind: config.Suffix, Name: org}, {Kind: config.Below, Name: net}},
		Action:    config.RuleAllow,
		Until:     config.Time{Time: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)},
		Inspect:   config.Off,
		Line:      18,
	}
	if !reflect.DeepEqual(f.Rules[0], wantRule) {
		t.Errorf("rule\n%+v\nwant\n%+v", f.Rules[0], wantRule)
	}
	for i, line := range []int{18, 25, 28, 42} {
		if f.Rules[i].Line != line {
			t.Errorf("rule %d is on line %d, want %d", i, f.Rules[i].Line, line)
		}
	}
	if !reflect.DeepEqual(f.Rules[1].Names, wantRule.Names) || f.Rules[1].Inspect != config.On {
		t.Errorf("alias: %+v", f.Rules[1])
	}
	wantList := config.NewList("urlhaus")
	wantList.URL, wantList.Format, wantList.Category = "https://urlhaus.example/hosts", config.ListHosts, "malware"
	wantList.Refresh, wantList.Line = config.Duration(6*time.Hour), 14
	if !reflect.DeepEqual(f.Lists[0], wantList) {
		t.Errorf("list\n%+v\nwant\n%+v", f.Lists[0], wantList)
	}
	if l := f.Lists[1]; l.Priority != -20 || l.Confidence != 80 || !l.Shadow || !reflect.DeepEqual(l.Grants, []config.Grant{config.GrantAllow, config.GrantRewrite}) {
		t.Errorf("list %+v", l)
	}
	if l := f.Lists[1]; l.MaxChange != 300 || l.Expires != config.Duration(30*24*time.Hour) || len(l.MayBlock) != 2 ||
		l.MayBlock[0].Name.String() != "facebook.com" || l.MayBlock[1].Prefix.String() != "10.0.0.0/8" {
		t.Errorf("list %+v", l)
	}
	if got := f.Rules[3].QTypes; !reflect.DeepEqual(got, []config.QType{16, 10, 65280}) {
		t.Errorf("query types %v", got)
	}
	if v4, v6 := f.Resolver.BlockAnswer.Addrs(); v4 != netip.MustParseAddr("192.0.2.9") || v6 != netip.MustParseAddr("2001:db8::9") {
		t.Errorf("answer %v %v", v4, v6)
	}
	if got := f.Resolver.Upstreams[0].AddrPort; got != netip.MustParseAddrPort("192.0.2.1:53") {
		t.Errorf("upstream %v", got)
	}
	if got := f.Internal.Zones[1].String(); got != "xn--bcher-kva.example" {
		t.Errorf("zone %v", got)
	}
	if f.Detectors["eicar"] != config.DetectorBlock || f.Detectors["other"] != config.DetectorOff {
		t.Errorf("detectors %v", f.Detectors)
	}
	if problems := f.Validate(known()); len(problems) != 1 || problems[0].Line != 46 || problems[0].Path != "detectors.other" {
		t.Errorf("validating again with more knowledge: %v", problems)
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("testdata", "full.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, yaml := range map[string]string{"default": "", "full": string(data)} {
		t.Run(name, func(t *testing.T) { roundTrip(t, []byte(yaml)) })
	}
}

// roundTrip prints what was accepted and parses it again.
func roundTrip(t *testing.T, data []byte) {
	t.Helper()
	f, problems := config.Parse("weir.yaml", data, config.Known{})
	if problems != nil {
		return
	}
	text, err := config.Encode(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	again, problems := config.Parse("again.yaml", text, config.Known{})
	if problems != nil {
		t.Fatalf("printed text is refused: %v\n%s", problems, text)
	}
	if a, b := config.WithoutSource(f), config.WithoutSource(again); !reflect.DeepEqual(a, b) {
		t.Fatalf("printed and parsed again:\n%+v\nbut was\n%+v\n%s", b, a, text)
	}
}

func TestMadeInCode(t *testing.T) {
	t.Parallel()
	f := config.Default()
	f.Mode, f.Default = "", "maybe"
	f.Detectors = map[string]config.DetectorAction{"eicra": "x"}
	f.Rules = []config.Rule{config.NewRule("r")}
	f.Lists = []config.List{{Name: "l", File: "f"}}
	f.Proxy.Limits.DialTimeout = 0
	got := f.Validate(known()).Error()
	for _, want := range []string{
		`mode: unknown mode "" (one of enforce, observe)`,
		`default: unknown action "maybe" (one of allow, log, block)`,
		`detectors.eicra: unknown detector action "x" (one of block, log, off)`,
		`rules[0].action: unknown action "" (one of allow, log, block, splice)`,
		`rules[0]: no condition: `,
		`lists[0].format: unknown format ""`,
		`proxy.limits.dial_timeout: 0s is too small: from 100ms to 2m`,
	} {
		if !strings.Contains("\n"+got, "\n"+want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	if _, err := config.Load(filepath.Join(t.TempDir(), "none.yaml"), known()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	path := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(path, []byte("mode: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.Load(path, known())
	var problems config.Problems
	if !errors.As(err, &problems) || len(problems) != 1 || !strings.HasPrefix(err.Error(), path+":1:7: mode: ") {
		t.Errorf("a wrong file: %v", err)
	}
	if err := os.WriteFile(path, []byte("mode: observe\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := config.Load(path, known()); err != nil || f.Mode != config.Observe {
		t.Errorf("a right file: %v", err)
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	t.Run("file too large", func(t *testing.T) {
		data := []byte(strings.Repeat("#", config.MaxSize+1))
		_, problems := config.Parse("x", data, known())
		if got := problems.Error(); got != "x: larger than 4194304 octets: put names into lists" {
			t.Error(got)
		}
		if _, problems := config.Parse("x", data[:config.MaxSize], known()); problems != nil {
			t.Error(problems)
		}
	})
	t.Run("alias bomb", func(t *testing.T) {
		names := strings.Repeat("a.example,", 1000)
		yaml := "rules:\n  - &r {name: r, action: log, names: [" + names + "]}\n" + strings.Repeat("  - *r\n", config.MaxNodes/1000+1)
		_, problems := config.Parse("x", []byte(yaml), known())
		if !strings.Contains(problems.Error(), "more than 100000 values, aliases counted each time they are used") {
			t.Errorf("%d problems: %.300s", len(problems), problems.Error())
		}
	})
	t.Run("many problems", func(t *testing.T) {
		yaml := "rules:\n" + strings.Repeat("  - 1\n", 3*config.MaxProblems)
		_, problems := config.Parse("x", []byte(yaml), known())
		if len(problems) != config.MaxProblems+1 || problems[config.MaxProblems].Message != "more problems are not shown" {
			t.Errorf("%d problems, last %v", len(problems), problems[len(problems)-1])
		}
	})
	t.Run("deep nesting", func(t *testing.T) {
		if _, problems := config.Parse("x", []byte(strings.Repeat("[", 100_000)), known()); len(problems) != 1 {
			t.Error(problems)
		}
	})
}

func TestClientNets(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		text    string
		in, out string
	}{
		{"private", "10.1.2.3 172.31.0.1 192.168.1.1 127.0.0.1 169.254.1.1 ::1 fd00::1 fe80::1", "100.64.0.1 172.32.0.1 8.8.8.8 2001:db8::1"},
		{"loopback", "127.9.9.9 ::1", "10.0.0.1 fe80::1"},
		{"any", "8.8.8.8 2001:db8::1", ""},
		{"203.0.113.0/24", "203.0.113.9", "203.0.114.1"},
	} {
		t.Run(tc.text, func(t *testing.T) {
			var c config.ClientNet
			if err := c.UnmarshalText([]byte(tc.text)); err != nil {
				t.Fatal(err)
			}
			has := func(s string) bool {
				for _, p := range c.Prefixes() {
					if p.Contains(netip.MustParseAddr(s)) {
						return true
					}
				}
				return false
			}
			for a := range strings.FieldsSeq(tc.in) {
				if !has(a) {
					t.Errorf("%s is not in %s", a, tc.text)
				}
			}
			for a := range strings.FieldsSeq(tc.out) {
				if has(a) {
					t.Errorf("%s is in %s", a, tc.text)
				}
			}
		})
	}
	if got := (config.ClientNet{}).Prefixes(); got != nil {
		t.Errorf("the zero value serves %v", got)
	}
}

func TestScalarTexts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ in, out string }{
		{"0", "0s"},
		{"0s", "0s"},
		{"90s", "1m30s"},
		{"60m", "1h"},
		{"24h", "1d"},
		{"14d", "14d"},
		{"1d12h", "1d12h"},
		{"36h30m", "1d12h30m"},
		{"100ms", "100ms"},
		{"1h0m5s", "1h0m5s"},
		{"106751d", "106751d"},
		{"106752d", ""},
		{"1d24h99999999h", ""},
		{"d", ""},
		{"", ""},
		{"+1s", ""},
		{"1", ""},
		{"1d-1h", ""},
		{"99999999999999d", ""},
	} {
		t.Run("duration "+tc.in, func(t *testing.T) {
			var d config.Duration
			if err := d.UnmarshalText([]byte(tc.in)); (err == nil) != (tc.out != "") || err == nil && d.String() != tc.out {
				t.Errorf("%v, %v; want %q", d, err, tc.out)
			}
		})
	}
	for _, tc := range []struct{ in, out string }{
		{"0", "0"},
		{"1", "1"},
		{"512B", "512"},
		{"1024", "1KiB"},
		{"64KiB", "64KiB"},
		{"1536KiB", "1536KiB"},
		{"1024MiB", "1GiB"},
		{"8388607TiB", "8388607TiB"},
		{"8388608TiB", ""},
		{"9223372036854775808", ""},
		{"-1", ""},
		{"1.5MiB", ""},
		{"KiB", ""},
		{"1kib", ""},
		{"", ""},
	} {
		t.Run("size "+tc.in, func(t *testing.T) {
			var s config.Size
			if err := s.UnmarshalText([]byte(tc.in)); (err == nil) != (tc.out != "") || err == nil && s.String() != tc.out {
				t.Errorf("%v, %v; want %q", s, err, tc.out)
			}
		})
	}
}
