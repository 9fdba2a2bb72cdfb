package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"

	"weir/internal/config"
)

// schema returns configs/schema.json.
func schema(c comments) ([]byte, error) {
	r := jsonschema.Reflector{
		Anonymous:                  true,
		ExpandedStruct:             true,
		DoNotReference:             true,
		RequiredFromJSONSchemaTags: true,
		FieldNameTag:               "yaml",
		Mapper:                     mapType,
		LookupComment:              func(t reflect.Type, field string) string { return c.of(t.Name(), field) },
	}
	s := r.Reflect(&config.File{})
	s.Title = "weir.yaml"
	s.Comments = header
	constrain(s, reflect.ValueOf(config.Default()).Elem())
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode schema: %w", err)
	}
	return append(out, '\n'), nil
}

// mapType describes the scalars of package config; nil leaves a type to the library.
func mapType(t reflect.Type) *jsonschema.Schema {
	if s, ok := scalars()[t]; ok {
		return &s.schema
	}
	w, ok := reflect.Zero(t).Interface().(config.Worded)
	if !ok {
		return nil
	}
	s := &jsonschema.Schema{}
	_, words := w.Words()
	for _, word := range words {
		s.Enum = append(s.Enum, word)
		if number := json.Number(word); strings.Trim(word, "0123456789.") == "" { // TLS versions may be written without quotes
			s.Enum = append(s.Enum, number)
		}
	}
	return s
}

// constrain adds defaults and the ranges of whole numbers; sections and tables may be left without a value.
func constrain(s *jsonschema.Schema, v reflect.Value) {
	for _, k := range keys(v) {
		p, ok := s.Properties.Get(k.name)
		if !ok {
			continue
		}
		t := k.field.Type
		limit(p, k)
		switch {
		case isSection(t):
			constrain(p, k.value)
			orNull(s, k.name, p)
		case t.Kind() == reflect.Slice && isSection(t.Elem()):
			constrain(p.Items, entryDefaults(t.Elem()))
			orNull(s, k.name, p)
		case t.Kind() == reflect.Map:
			orNull(s, k.name, p)
		case k.required:
		case t.Kind() == reflect.Bool:
			p.Default = k.value.Bool()
		case t.Kind() == reflect.Int:
			p.Default = k.value.Int()
		}
	}
}

// limit adds the range of a whole number, or of the numbers in a list.
func limit(p *jsonschema.Schema, k key) {
	low, high, ok := strings.Cut(k.field.Tag.Get("bounds"), "..")
	if k.field.Type.Kind() == reflect.Slice {
		p = p.Items
	}
	if ok && p.Type == "integer" {
		p.Minimum, p.Maximum = json.Number(low), json.Number(high)
	}
}

// orNull lets a key stand without a value, as one does whose contents are all commented out.
func orNull(s *jsonschema.Schema, name string, p *jsonschema.Schema) {
	description := p.Description
	p.Description = ""
	s.Properties.Set(name, &jsonschema.Schema{Description: description, OneOf: []*jsonschema.Schema{p, {Type: "null"}}})
}
