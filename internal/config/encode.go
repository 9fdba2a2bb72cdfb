package config

import (
	"bytes"
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Comments returns the comment of a field by the names of its type and itself; "" when there is none.
type Comments func(typ, field string) string

// Encode returns the YAML text of f, which [Parse] turns into the same File again. Every key of every section is written, with
// its comment above when comments is not nil; of the entries of lists, only the keys that differ from their defaults.
func Encode(f *File, comments Comments) ([]byte, error) {
	if comments == nil {
		comments = func(string, string) string { return "" }
	}
	e := encoder{comments}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(e.section(reflect.ValueOf(f).Elem(), 0)); err != nil {
		return nil, fmt.Errorf("encode config: %w", err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("encode config: %w", err)
	}
	return b.Bytes(), nil
}

type encoder struct{ comments Comments }

// eachField calls f for every field of a struct that has a key.
func eachField(t reflect.Type, f func(i int, field reflect.StructField, key string)) {
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "" && key != "-" {
			f(i, t.Field(i), key)
		}
	}
}

func (e encoder) section(v reflect.Value, depth int) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	eachField(v.Type(), func(i int, field reflect.StructField, key string) {
		k := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}
		if text := e.comments(v.Type().Name(), field.Name); text != "" {
			k.HeadComment = Wrap(text, "# ", commentWidth-2*depth) + e.entryComment(field.Type, depth)
		}
		n.Content = append(n.Content, k, e.value(v.Field(i), depth+1))
	})
	return n
}

// commentWidth is the width of comments in columns, as in our own sources.
const commentWidth = 110

// entryComment describes the keys of the entries of a list.
func (e encoder) entryComment(t reflect.Type, depth int) string {
	if t.Kind() != reflect.Slice || t.Elem().Kind() != reflect.Struct || isScalar(t.Elem()) {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n# Keys of an entry:")
	eachField(t.Elem(), func(_ int, field reflect.StructField, key string) {
		b.WriteString("\n#   " + key + "\n")
		b.WriteString(Wrap(e.comments(t.Elem().Name(), field.Name), "#       ", commentWidth-2*depth))
	})
	return b.String()
}

// Wrap breaks text into lines of at most width columns, each with a prefix; single words may be longer.
func Wrap(text, prefix string, width int) string {
	var b strings.Builder
	line := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == 0:
			b.WriteString(prefix)
			line = len(prefix)
		case line+1+len(word) > width:
			b.WriteString("\n" + prefix)
			line = len(prefix)
		default:
			b.WriteByte(' ')
			line++
		}
		b.WriteString(word)
		line += len(word)
	}
	return b.String()
}

func (e encoder) value(v reflect.Value, depth int) *yaml.Node {
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		if err != nil {
			text = []byte(err.Error()) // our types never fail; what this gives is refused by Parse
		}
		return scalarNode(string(text), v.Type() != reflect.TypeFor[Size]())
	}
	switch v.Kind() {
	case reflect.Struct:
		return e.section(v, depth)
	case reflect.Slice:
		return e.list(v, depth)
	case reflect.Map:
		return table(v)
	case reflect.String:
		return scalarNode(v.String(), true)
	case reflect.Bool:
		return scalarNode(strconv.FormatBool(v.Bool()), false)
	}
	return scalarNode(fmt.Sprint(v.Interface()), false)
}

func (e encoder) list(v reflect.Value, depth int) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	if item := v.Type().Elem(); isScalar(item) || item.Kind() != reflect.Struct || v.Len() == 0 {
		n.Style = yaml.FlowStyle
	}
	for i := range v.Len() {
		n.Content = append(n.Content, e.entry(v.Index(i), depth))
	}
	return n
}

func table(v reflect.Value) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	if v.Len() == 0 {
		n.Style = yaml.FlowStyle
	}
	m, _ := v.Interface().(map[string]DetectorAction) // the only map there is
	for _, k := range slices.Sorted(maps.Keys(m)) {
		n.Content = append(n.Content, scalarNode(k, true), scalarNode(string(m[k]), true))
	}
	return n
}

// entry is value for an entry of a list, without the keys that are as entries begin.
func (e encoder) entry(v reflect.Value, depth int) *yaml.Node {
	fresh := reflect.New(v.Type())
	b, ok := fresh.Interface().(beginner)
	if !ok {
		return e.value(v, depth)
	}
	b.begin(0)
	n := &yaml.Node{Kind: yaml.MappingNode}
	eachField(v.Type(), func(i int, field reflect.StructField, key string) {
		same := reflect.DeepEqual(v.Field(i).Interface(), fresh.Elem().Field(i).Interface())
		if !same || field.Tag.Get("jsonschema") == "required" {
			n.Content = append(n.Content, scalarNode(key, true), e.value(v.Field(i), depth+1))
		}
	})
	return n
}

func scalarNode(s string, text bool) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Value: s}
	if text {
		n.Tag = "!!str"
	}
	return n
}
