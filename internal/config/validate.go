package config

import (
	"encoding"
	"encoding/hex"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Known holds the names that the rest of the program brings along. The zero Known knows no built-in lists and does not check
// the names of detectors.
type Known struct {
	Detectors  []string // nil: any name will do
	Lists      []string // the built-in lists; rules may name them unless builtin_lists is false
	Categories []string // the categories of the built-in lists
}

// check reports everything that is wrong with values that are each well-formed.
func (f *File) check(known Known) {
	f.checkFields("", reflect.ValueOf(f).Elem(), "")
	f.checkProxy()
	f.checkResolver()
	f.checkListeners()
	groups := f.checkGroups()
	f.checkReputation(groups)
	lists, categories := f.checkLists(known, groups)
	f.checkRules(known, groups, lists, categories)
	for _, name := range slices.Sorted(maps.Keys(f.Detectors)) {
		f.checkDetector(known, "detectors."+name, name)
	}
}

// checkFields checks every field with a bounds tag, and that what has words is one of them.
func (f *File) checkFields(path string, v reflect.Value, tag string) {
	if w, ok := v.Interface().(Worded); ok {
		f.checkWord(path, v.String(), w)
		return
	}
	switch {
	case tag != "" && v.Kind() != reflect.Slice:
		f.checkBounds(path, v, tag)
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			f.checkFields(path+"["+strconv.Itoa(i)+"]", v.Index(i), tag)
		}
	case v.Kind() == reflect.Map:
		for _, k := range v.MapKeys() {
			f.checkFields(join(path, k.String()), v.MapIndex(k), tag)
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if key := field.Tag.Get("yaml"); key != "" && key != "-" {
				f.checkFields(join(path, key), v.Field(i), field.Tag.Get("bounds"))
			}
		}
	}
}

// checkWord matters for a File made in code: the decoder takes only the words.
func (f *File) checkWord(path, s string, w Worded) {
	noun, words := w.Words()
	optional := strings.HasSuffix(path, "].min_severity") || strings.HasPrefix(path, "lists[") && strings.HasSuffix(path, "].action")
	if !slices.Contains(words, s) && (s != "" || !optional) {
		f.src.report(path, "unknown %s %q%s", noun, s, hint(s, words))
	}
}

func (f *File) checkBounds(path string, v reflect.Value, tag string) {
	low, high, _ := strings.Cut(tag, "..")
	least, most := parseBound(v.Type(), low), parseBound(v.Type(), high)
	n := int64(0)
	if v.CanUint() {
		n = int64(v.Uint())
	} else {
		n = v.Int()
	}
	switch {
	case n < least:
		f.src.report(path, "%v is too small: from %s to %s", v.Interface(), low, high)
	case n > most:
		f.src.report(path, "%v is too large: from %s to %s", v.Interface(), low, high)
	}
}

// parseBound reads one end of a bounds tag; a wrong tag is our own mistake and met by every test.
func parseBound(t reflect.Type, s string) int64 {
	v := reflect.New(t)
	u, ok := v.Interface().(encoding.TextUnmarshaler)
	if !ok {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			panic("config: bad bounds tag " + s)
		}
		return n
	}
	if err := u.UnmarshalText([]byte(s)); err != nil {
		panic("config: bad bounds tag " + s)
	}
	return v.Elem().Int()
}

func (f *File) checkProxy() {
	l := f.Proxy.Limits
	if l.MaxConnectionsPerClient > l.MaxConnections && f.src.given("proxy.limits.max_connections_per_client") {
		f.src.report("proxy.limits.max_connections_per_client", "%d is more than max_connections, %d", l.MaxConnectionsPerClient, l.MaxConnections)
	}
	if f.Proxy.Upstream.Roots == RootsNone && f.Proxy.Upstream.ExtraRootsFile == "" {
		f.src.report("proxy.upstream.roots", "none needs extra_roots_file, or no origin can be verified")
	}
	if f.Inspection.Hold > f.Inspection.MaxBody {
		f.src.report("inspection.hold", "%v is more than max_body, %v", f.Inspection.Hold, f.Inspection.MaxBody)
	}
}

func (f *File) checkResolver() {
	c := f.Resolver.Cache
	if c.MinTTL > c.MaxTTL {
		f.src.report("resolver.cache.min_ttl", "%v is more than max_ttl, %v", c.MinTTL, c.MaxTTL)
	}
	for i, u := range f.Resolver.Upstreams {
		if slices.ContainsFunc(f.Resolver.Listen, func(l AddrPort) bool { return l.IsValid() && l.AddrPort == u.AddrPort }) {
			f.src.report(fmt.Sprintf("resolver.upstreams[%d]", i), "%v is this resolver itself", u)
		}
	}
	if len(f.Internal.Upstreams) > 0 && len(f.Internal.Zones) == 0 {
		f.src.report("internal.upstreams", "upstreams without zones are never asked")
	}
}

// checkListeners finds two listeners on one address, empty addresses, and an open admin listener.
func (f *File) checkListeners() {
	used := map[AddrPort]string{}
	listen := func(path string, a AddrPort) {
		if first, ok := used[a]; ok && a.Port() != 0 {
			f.src.report(path, "%v is listened on already, see %s", a, first)
		}
		used[a] = path
	}
	each := func(path string, addrs []AddrPort) {
		for i, a := range addrs {
			at := fmt.Sprintf("%s[%d]", path, i)
			if a.IsValid() {
				listen(at, a)
			} else {
				f.src.report(at, "%v", errEmpty)
			}
		}
	}
	each("proxy.listen", f.Proxy.Listen)
	each("resolver.listen", f.Resolver.Listen)
	if a := f.Admin.Listen; a.IsValid() {
		listen("admin.listen", a)
		if !a.Addr().IsLoopback() && f.Admin.TokenFile == "" {
			f.src.report("admin.listen", "%v is not loopback: set token_file, or listen on 127.0.0.1", a)
		}
	}
}

// maxGroups is what the set of groups of a client has room for.
const maxGroups = 64

func (f *File) checkGroups() (names []string) {
	for i, g := range f.Groups {
		path := fmt.Sprintf("groups[%d]", i)
		f.checkName(path+".name", g.Name, names)
		if len(g.Networks) == 0 {
			f.src.report(path+".networks", "a group needs at least one network")
		}
		if i == maxGroups {
			f.src.report(path, "more than %d groups", maxGroups)
		}
		names = append(names, g.Name)
	}
	return names
}

// checkName checks a name that others refer to; earlier holds those already taken.
func (f *File) checkName(path, name string, earlier []string) {
	switch {
	case !isSlug(name):
		f.src.report(path, "%q is not a name: letters, digits, '.', '_' and '-', at most %d", name, maxSlug)
	case slices.Contains(earlier, name):
		f.src.report(path, "%q is taken already", name)
	}
}

// maxSlug bounds names, which appear in every event.
const maxSlug = 64

func isSlug(s string) bool {
	for i := range len(s) {
		if !letterOrDigit(s[i]) && (i == 0 || !strings.ContainsRune("._-", rune(s[i]))) {
			return false
		}
	}
	return s != "" && len(s) <= maxSlug
}

func letterOrDigit(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func (f *File) checkLists(known Known, groups []string) (names, categories []string) {
	if f.BuiltinLists {
		names, categories = slices.Clone(known.Lists), slices.Clone(known.Categories)
	}
	for i, l := range f.Lists {
		path := fmt.Sprintf("lists[%d]", i)
		f.checkName(path+".name", l.Name, names)
		f.checkListSource(path, l)
		f.checkListColumn(path, l)
		f.checkListAction(path, l)
		if l.Category != "" || f.src.given(path+".category") {
			f.checkName(path+".category", l.Category, nil)
			categories = append(categories, l.Category)
		}
		f.checkNotEmpty(path, "grants", len(l.Grants))
		f.checkNotEmpty(path, "groups", len(l.Groups))
		f.checkRefs(path+".groups", "group", l.Groups, groups)
		names = append(names, l.Name)
	}
	return names, categories
}

func (f *File) checkListSource(path string, l List) {
	given, bad := []string{}, f.src.isBad(path+".transfer")
	if l.Transfer.Given() || f.src.given(path+".transfer") {
		given = append(given, "transfer")
	}
	for _, source := range [...]struct{ key, text string }{{"url", l.URL}, {"file", l.File}, {"dir", l.Dir}} {
		bad = bad || f.src.isBad(path+"."+source.key)
		if source.text != "" {
			given = append(given, source.key)
		}
	}
	switch {
	case len(given) > 1:
		f.src.report(path+"."+given[len(given)-1], "%s are given: a list has one source", strings.Join(given, " and "))
	case len(given) == 0 && !bad:
		f.src.report(path+".url", "a list needs a url, a file, a dir or a transfer")
	case l.URL != "":
		f.checkListURL(path+".url", l.URL)
	}
	f.checkListTransfer(path, l)
	f.checkListSignature(path, l)
	f.checkListContent(path, l)
}

// checkListContent: what the text must be and how long it counts.
func (f *File) checkListContent(path string, l List) {
	if sum, err := hex.DecodeString(l.SHA256); l.SHA256 != "" && (err != nil || len(sum) != 32) {
		f.src.report(path+".sha256", "not a SHA-256 in 64 hexadecimal digits")
	}
	if l.Dir != "" && l.SHA256 != "" {
		f.src.report(path+".sha256", "a directory has no digest: its files change")
	}
	if e := l.Expires.Std(); e > 0 && e < l.Refresh.Std() && (!l.Transfer.Given() || f.src.given(path+".refresh")) {
		f.src.report(path+".expires", "shorter than refresh (%s): the list would expire between two looks", l.Refresh)
	}
	f.checkNotEmpty(path, "may_block", len(l.MayBlock))
}

// checkListColumn: only tables have columns.
func (f *File) checkListColumn(path string, l List) {
	if l.Column != "" && l.Format != ListCSV && l.Format != ListJSON {
		f.src.report(path+".column", "a list of format %s has no columns: csv and json have", l.Format)
	}
}

// checkListAction: a list that opens something is told so twice.
func (f *File) checkListAction(path string, l List) {
	if l.Action == Allow && !slices.Contains(l.Grants, GrantAllow) {
		f.src.report(path+".action", "a list that allows needs grants: [allow] beside it: what it says goes before what other lists block")
	}
}

func (f *File) checkListURL(path, text string) {
	u, err := url.Parse(text)
	switch {
	case err != nil: // the error repeats the URL, which may hold a password
		f.src.report(path, "not a URL")
	case u.Scheme != "https" || u.Hostname() == "":
		f.src.report(path, "not an https:// URL: lists come over HTTPS or from a file")
	case u.User != nil:
		f.src.report(path, "user name and password do not belong into this file")
	}
}

// checkNotEmpty reports a list that is given and empty where that would mean "everything".
func (f *File) checkNotEmpty(path, key string, n int) {
	if at := join(path, key); n == 0 && f.src.given(at) {
		f.src.report(at, "an empty list would match nothing or everything: remove the key, or name something")
	}
}

// checkRefs reports names that nothing has.
func (f *File) checkRefs(path, noun string, names, known []string) {
	for i, name := range names {
		if slices.Contains(known, name) {
			continue
		}
		at := fmt.Sprintf("%s[%d]", path, i)
		if w := closest(name, known); w != "" {
			f.src.report(at, "unknown %s %q (did you mean %q?)", noun, name, w)
		} else {
			f.src.report(at, "unknown %s %q", noun, name)
		}
	}
}

func (f *File) checkDetector(known Known, path, name string) {
	if known.Detectors == nil || slices.Contains(known.Detectors, name) {
		return
	}
	if w := closest(name, known.Detectors); w != "" {
		f.src.reportKey(path, "unknown detector %q (did you mean %q?)", name, w)
		return
	}
	f.src.reportKey(path, "unknown detector %q", name)
}
