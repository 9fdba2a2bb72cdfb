package config

import (
	"encoding"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// maxNodes bounds the values that one file may hold, those repeated by aliases counted each time: a config has thousands,
// long lists of names belong into lists.
const maxNodes = 100_000

// decoder fills a File from a tree of YAML nodes and goes on after every problem.
type decoder struct {
	*source
	nodes int
}

// beginner is an entry of a list with defaults of its own.
type beginner interface{ begin(line int) }

// resolve follows an alias; ok is false when there is nothing to decode.
func (d *decoder) resolve(path string, n *yaml.Node) (_ *yaml.Node, ok bool) {
	d.values[path] = position{n.Line, n.Column}
	if d.nodes++; d.nodes > maxNodes {
		if d.nodes == maxNodes+1 {
			d.report(path, "more than %d values, aliases counted each time they are used", maxNodes)
		}
		return nil, false
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n == nil || n.Kind == yaml.AliasNode {
		d.report(path, "alias of nothing")
		return nil, false
	}
	switch n.ShortTag() {
	case "!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!!seq", "!!map", "!!merge":
		return n, true
	}
	d.report(path, "the tag %s has no meaning here", strconv.Quote(n.Tag))
	return nil, false
}

// value decodes n into v, which keeps what it has when n has a problem.
func (d *decoder) value(path string, n *yaml.Node, v reflect.Value) {
	n, ok := d.resolve(path, n)
	if !ok {
		return
	}
	if isNull(n) {
		d.null(path, n, v)
		return
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if s, ok := d.text(path, n, "one value"); ok {
			if err := u.UnmarshalText([]byte(s)); err != nil {
				d.report(path, "%v", err)
			}
		}
		return
	}
	if w, ok := v.Interface().(Worded); ok {
		d.word(path, n, v, w)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.section(path, n, v)
	case reflect.Slice:
		d.list(path, n, v)
	case reflect.Map:
		d.table(path, n, v)
	default:
		d.scalar(path, n, v)
	}
}

// null decodes a key without a value: fine for a section whose keys are all commented out, an error for anything else, since
// a condition must not vanish by mistake.
func (d *decoder) null(path string, n *yaml.Node, v reflect.Value) {
	if v.Kind() == reflect.Map || v.Kind() == reflect.Struct && !isScalar(v.Type()) {
		return
	}
	if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct && !isScalar(v.Type().Elem()) {
		return
	}
	if n.Value == "null" && (v.Type() == reflect.TypeFor[BlockAnswer]() || v.Type() == reflect.TypeFor[RuleAnswer]()) {
		d.report(path, "unknown answer \"null\" (did you mean %q?)", AnswerNullIP)
		return
	}
	d.report(path, "no value: give one or remove the key%s", nullHint(n))
}

// nullHint helps who meant a word that YAML takes for "nothing".
func nullHint(n *yaml.Node) string {
	if n.Value == "" {
		return ""
	}
	return ", or put " + n.Value + " in quotes to mean the word"
}

func isScalar(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// text returns the text of a scalar, whatever YAML takes it for.
func (d *decoder) text(path string, n *yaml.Node, want string) (string, bool) {
	if n.Kind != yaml.ScalarNode {
		d.report(path, "expected %s, found %s", want, describe(n))
		return "", false
	}
	for _, r := range n.Value {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == unicode.ReplacementChar {
			d.report(path, "character %U is not allowed", r)
			return "", false
		}
	}
	return n.Value, true
}

// describe says what a node is, for messages.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a section of keys"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "the number " + n.Value
	case "!!bool":
		return "the truth value " + n.Value
	case "!!timestamp":
		return "the date " + n.Value
	}
	return strconv.Quote(n.Value)
}

func (d *decoder) word(path string, n *yaml.Node, v reflect.Value, w Worded) {
	noun, words := w.Words()
	s, ok := d.text(path, n, "one of "+strings.Join(words, ", "))
	if !ok {
		return
	}
	if !slices.Contains(words, s) {
		d.report(path, "unknown %s %q%s", noun, s, hint(s, words))
		return
	}
	v.SetString(s)
}

func (d *decoder) scalar(path string, n *yaml.Node, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		s, ok := d.text(path, n, "text")
		if ok && n.ShortTag() != "!!str" {
			d.report(path, "expected text, found %s: put it in quotes", describe(n))
		} else if ok {
			v.SetString(s)
		}
	case reflect.Bool:
		if n.Kind != yaml.ScalarNode || n.Value != "true" && n.Value != "false" || n.ShortTag() != "!!bool" {
			d.report(path, "expected true or false, found %s", describe(n))
			return
		}
		v.SetBool(n.Value == "true")
	case reflect.Int, reflect.Uint16:
		d.number(path, n, v)
	default:
		panic("config: no way to decode " + v.Type().String()) // a field of a new kind: any test of Parse meets it
	}
}

func (d *decoder) number(path string, n *yaml.Node, v reflect.Value) {
	digits := n.Kind == yaml.ScalarNode && n.ShortTag() == "!!int" && strings.Trim(strings.TrimPrefix(n.Value, "-"), "0123456789") == ""
	if !digits {
		d.report(path, "expected a whole number, found %s", describe(n))
		return
	}
	i, err := strconv.ParseInt(n.Value, 10, 64)
	switch {
	case err != nil:
		d.report(path, "%s is too large", n.Value)
	case v.CanInt() && !v.OverflowInt(i):
		v.SetInt(i)
	case v.CanUint() && i >= 0 && !v.OverflowUint(uint64(i)):
		v.SetUint(uint64(i))
	default:
		d.report(path, "%s is out of range", n.Value)
	}
}

func (d *decoder) list(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		d.report(path, "expected a list, found %s", describe(n))
		return
	}
	out := reflect.MakeSlice(v.Type(), 0, min(len(n.Content), maxNodes))
	for i, item := range n.Content {
		if d.nodes > maxNodes {
			return
		}
		e := reflect.New(v.Type().Elem())
		if b, ok := e.Interface().(beginner); ok {
			b.begin(item.Line)
		}
		at := path + "[" + strconv.Itoa(i) + "]"
		if isNull(item) {
			d.values[at] = position{item.Line, item.Column}
			d.report(at, "empty entry%s", nullHint(item))
		} else {
			d.value(at, item, e.Elem())
		}
		out = reflect.Append(out, e.Elem()) // also after a problem, so that indices stay right
	}
	if len(n.Content) == 0 {
		out = reflect.Zero(v.Type())
	}
	v.Set(out)
}

// eachKey calls f for each key of a mapping that is text and new.
func (d *decoder) eachKey(path string, n *yaml.Node, f func(path, key string, value *yaml.Node)) {
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content) && d.nodes <= maxNodes; i += 2 {
		k := n.Content[i]
		pos := position{k.Line, k.Column}
		switch {
		case k.Kind == yaml.ScalarNode && k.ShortTag() == "!!merge":
			d.at(pos, join(path, "<<"), "merge keys are not supported")
			continue
		case k.Kind != yaml.ScalarNode || k.ShortTag() != "!!str" || !printable(k.Value):
			d.at(pos, join(path, "?"), "a key must be a word")
			continue
		}
		at := join(path, k.Value)
		if first, ok := seen[k.Value]; ok {
			d.at(pos, at, "duplicate key %q, first on line %d", k.Value, first)
			continue
		}
		seen[k.Value] = k.Line
		d.keys[at] = pos
		f(at, k.Value, n.Content[i+1])
	}
}

func printable(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (d *decoder) section(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		d.report(path, "expected a section of keys, found %s", describe(n))
		return
	}
	fields, names := map[string]int{}, []string{}
	for i := range v.NumField() {
		if key := v.Type().Field(i).Tag.Get("yaml"); key != "" && key != "-" {
			fields[key] = i
			names = append(names, key)
		}
	}
	d.eachKey(path, n, func(at, key string, value *yaml.Node) {
		i, ok := fields[key]
		if ok {
			d.value(at, value, v.Field(i))
		} else if w := closest(key, names); w != "" {
			d.reportKey(at, "unknown key %q (did you mean %q?)", key, w)
		} else {
			d.reportKey(at, "unknown key %q", key)
		}
	})
	if d.nodes > maxNodes {
		return
	}
	for _, key := range names {
		if _, ok := d.keys[join(path, key)]; !ok && v.Type().Field(fields[key]).Tag.Get("jsonschema") == "required" {
			d.report(join(path, key), "%s is missing", key)
		}
	}
}

func (d *decoder) table(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		d.report(path, "expected a section of keys, found %s", describe(n))
		return
	}
	out := reflect.MakeMap(v.Type())
	d.eachKey(path, n, func(at, key string, value *yaml.Node) {
		e := reflect.New(v.Type().Elem()).Elem()
		d.value(at, value, e)
		out.SetMapIndex(reflect.ValueOf(key), e)
	})
	if out.Len() > 0 {
		v.Set(out)
	}
}
