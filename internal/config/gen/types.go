package main

import (
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"

	"weir/internal/config"
)

// scalar describes a type that is written as one value.
type scalar struct {
	noun   string
	schema jsonschema.Schema
}

func text(pattern string) jsonschema.Schema {
	return jsonschema.Schema{Type: "string", Pattern: pattern}
}

// scalars describes the types of package config that are written as one value and have no fixed words. The patterns catch gross
// mistakes in an editor; only the program itself judges fully.
func scalars() map[reflect.Type]scalar {
	return map[reflect.Type]scalar{
		reflect.TypeFor[config.Duration](): {"duration", jsonschema.Schema{OneOf: []*jsonschema.Schema{
			{Type: "string", Pattern: `^([0-9]+d)?([0-9.]+(h|m|s|ms|us|µs|ns))*$`, MinLength: new(uint64(1))},
			{Type: "integer", Const: 0},
		}}},
		reflect.TypeFor[config.Size](): {"size", jsonschema.Schema{OneOf: []*jsonschema.Schema{
			{Type: "string", Pattern: `^[0-9]+([KMGT]i)?B?$`}, {Type: "integer", Minimum: "0"},
		}}},
		reflect.TypeFor[config.Time]():        {"moment", text(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9:]+)$`)},
		reflect.TypeFor[config.Prefix]():      {"network", text(`^[0-9A-Fa-f.:]+(/[0-9]+)?$`)},
		reflect.TypeFor[config.AddrPort]():    {"address:port", text(`^(([0-9.]+|\[[0-9A-Fa-f:.]+(%.+)?\]):[0-9]+)?$`)},
		reflect.TypeFor[config.ServerAddr]():  {"DNS server", text(`^[\[0-9A-Fa-f:.\]]+$`)},
		reflect.TypeFor[config.ClientNet]():   {"network or word", text(`^(private|loopback|any|[0-9A-Fa-f.:]+(/[0-9]+)?)$`)},
		reflect.TypeFor[config.BlockAnswer](): {"answer", text(`^(nxdomain|nodata|null_ip|refused|drop|[0-9A-Fa-f.: ]+)$`)},
		reflect.TypeFor[config.RuleAnswer]():  {"answer", text(`^(page|nxdomain|nodata|null_ip|refused|drop|[0-9A-Fa-f.: ]+)$`)},
		reflect.TypeFor[config.Name]():        {"name", text(`^[^*/: ]+$`)},
		reflect.TypeFor[config.NameOrNet]():   {"name or network", text(`^([^*/: ]+|[0-9A-Fa-f.:]+(/[0-9]+)?)$`)},
		reflect.TypeFor[config.NamePattern](): {"name pattern", text(`^(\*?\.)?[^*/: ]+$`)},
		reflect.TypeFor[config.URLPattern]():  {"URL pattern", text(`^(https?|wss?|\*)://[^/]+/.*$`)},
		reflect.TypeFor[config.Method]():      {"method", text(`^[^a-z ]+$`)},
		reflect.TypeFor[config.MediaRange]():  {"media type", text(`^[^*/;]+/([^*/;]+|\*)$`)},
		reflect.TypeFor[config.QType]():       {"query type", text(`^[A-Za-z0-9]+$`)},
	}
}

// noun says what is written for a value of type t.
func noun(t reflect.Type) string {
	if s, ok := scalars()[t]; ok {
		return s.noun
	}
	if w, ok := reflect.Zero(t).Interface().(config.Worded); ok {
		_, words := w.Words()
		return "`" + strings.Join(words, "` `") + "`"
	}
	switch t.Kind() {
	case reflect.Slice:
		if isSection(t.Elem()) {
			return "list of sections"
		}
		return "list of: " + noun(t.Elem())
	case reflect.Map:
		return "name: " + noun(t.Elem())
	case reflect.Struct:
		return "section"
	case reflect.Bool:
		return "`true` `false`"
	case reflect.String:
		return "text"
	}
	return "number"
}
