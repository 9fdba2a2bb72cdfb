package main

import (
	"fmt"
	"reflect"
	"strings"

	"weir/internal/config"
)

// markdown returns docs/configuration.md.
func markdown(c comments) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "<!-- %s -->\n%s", header, introduction)
	writeTable(&b, c, "", "The file", reflect.ValueOf(config.Default()).Elem())
	return []byte(b.String())
}

const introduction = `
# Configuration

weir reads one YAML file, ` + "`weir run -c weir.yaml`" + `. What the file does not set is as in
[configs/default.yaml](../configs/default.yaml), which holds every key; an empty file, or none, means exactly that.
` + "`weir validate -c weir.yaml`" + ` reports every mistake at once with file, line and column, and exits with 78. Unknown keys,
keys given twice and a second document are mistakes. An editor that reads [configs/schema.json](../configs/schema.json)
(a JSON Schema) finds most of them while you type.

How values are written:

- *duration*: ` + "`100ms`, `90s`, `10m`, `1h30m`, `14d`" + `; a number needs its unit, only ` + "`0`" + ` goes without.
- *size*: octets, alone or with ` + "`B`, `KiB`, `MiB`, `GiB`, `TiB`" + ` (powers of 1024).
- *network*: ` + "`10.0.0.0/8`, `2001:db8::/32`" + `, or one address. Host bits must be zero.
- *name pattern*: ` + "`example.com`" + ` is this name alone, ` + "`.example.com`" + ` it and all below, ` + "`\"*.example.com\"`" + ` only those below.
- *URL pattern*: ` + "`\"https://example.com/path/*\"`" + `; ` + "`*`" + ` in the path stands for any run of characters.
- *moment*: ` + "`2026-12-01T00:00:00Z`" + ` (RFC 3339).
- Relative paths start at the working directory of the process. Secrets are given by the path of a file, never in this one.

What an entry of a list covers depends on the ` + "`format`" + ` of the list, and is not always what a name pattern of a rule covers:

| format | entry | covers |
|---|---|---|
| hosts | ` + "`0.0.0.0 x`" + ` | ` + "`x`" + ` alone: a hosts file knows no names below |
| domains | ` + "`x`" + ` | ` + "`x`" + ` and everything below |
| wildcard | ` + "`*.x`" + `, ` + "`.x`" + ` | ` + "`x`" + ` **and** everything below (in the names of a rule ` + "`*.x`" + ` leaves ` + "`x`" + ` out) |
| wildcard | ` + "`=x`" + ` | ` + "`x`" + ` alone |
| adblock | ` + "`\\|\\|x^`" + ` | ` + "`x`" + ` and everything below; ` + "`\\|x^`" + ` is ` + "`x`" + ` alone, ` + "`\\|\\|*.x^`" + ` only what is below |
| adblock | ` + "`@@\\|\\|x^`" + ` | an exception; it counts only with ` + "`grants: [allow]`" + ` |
| addresses | ` + "`192.0.2.1`, `192.0.2.0/24`" + ` | the address, the network |

A list whose ` + "`action`" + ` is ` + "`allow`" + ` needs ` + "`grants: [allow]`" + ` too: what comes from elsewhere opens nothing unless it is told twice.

In a list that narrows something (the conditions of a rule, the groups of a list) an empty list is a mistake: leave the key out.
`

// writeTable writes the keys of a section, then those of the sections in it.
func writeTable(b *strings.Builder, c comments, path, title string, v reflect.Value) {
	fmt.Fprintf(b, "\n## %s\n\n| key | value | default | meaning |\n|---|---|---|---|\n", title)
	all := keys(v)
	for _, k := range all {
		name := k.name
		if isNested(k.field.Type) {
			name = fmt.Sprintf("[%s](#%s)", k.name, anchor(path+k.name))
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", name, noun(k.field.Type), defaultCell(k), cell(c.meaning(k.typ, k.field.Name)+rangeText(k)))
	}
	for _, k := range all {
		t := k.field.Type
		switch {
		case isSection(t):
			writeTable(b, c, path+k.name+".", "`"+path+k.name+"`", k.value)
		case isNested(t):
			writeTable(b, c, path+k.name+".", "`"+path+k.name+"` entries", entryDefaults(t.Elem()))
		}
	}
}

func isNested(t reflect.Type) bool {
	return isSection(t) || t.Kind() == reflect.Slice && isSection(t.Elem())
}

// anchor is what the usual renderers make of the heading of a section.
func anchor(path string) string {
	a := strings.ReplaceAll(path, ".", "")
	switch path {
	case "groups", "lists", "rules", "reputation.lock":
		return a + "-entries"
	}
	return a
}

func defaultCell(k key) string {
	switch text := defaultText(k); {
	case isSection(k.field.Type):
		return ""
	case k.required:
		return "*required*"
	case text == "none":
		return "none"
	default:
		return "`" + text + "`"
	}
}

func rangeText(k key) string {
	low, high, ok := strings.Cut(k.field.Tag.Get("bounds"), "..")
	switch {
	case !ok:
		return ""
	case low == high:
		return " Only " + low + "."
	}
	return " From " + low + " to " + high + "."
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }

// defaultText is the default of a key as comments state it.
func defaultText(k key) string {
	v := k.value
	if v.Kind() == reflect.Slice {
		texts := make([]string, v.Len())
		for i := range texts {
			texts[i] = scalarText(v.Index(i))
		}
		if len(texts) > 0 {
			return "[" + strings.Join(texts, ", ") + "]"
		}
		return "none"
	}
	if v.Kind() == reflect.Map && v.Len() == 0 {
		return "none"
	}
	if s := scalarText(v); s != "" {
		return s
	}
	return "none"
}
