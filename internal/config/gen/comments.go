package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"weir/internal/config"
)

// comments holds the doc comments of all struct fields of package config, each on one line, by "Type.Field".
type comments map[string]string

func readComments(dir string) (comments, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no Go files in %s: %w", dir, err)
	}
	slices.Sort(files)
	out := comments{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("read comments: %w", err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				out.add(spec)
			}
			return true
		})
	}
	return out, nil
}

func (c comments) add(spec *ast.TypeSpec) {
	st, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, field := range st.Fields.List {
		text := strings.Join(strings.Fields(field.Doc.Text()), " ")
		for _, name := range field.Names {
			c[spec.Name.Name+"."+name.Name] = text
		}
	}
}

func (c comments) of(typ, field string) string { return c[typ+"."+field] }

// meaning is the comment without its last sentence, which states the default.
func (c comments) meaning(typ, field string) string {
	text := c.of(typ, field)
	text, _ = strings.CutSuffix(text, " Required.")
	if i := strings.LastIndex(text, " Default: "); i >= 0 {
		text = text[:i]
	}
	return text
}

// key is one key of a section.
type key struct {
	name     string
	typ      string // name of the Go type that holds the field
	field    reflect.StructField
	value    reflect.Value // the default
	required bool
}

// keys lists the keys of a struct that holds defaults.
func keys(v reflect.Value) []key {
	var out []key
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if name := f.Tag.Get("yaml"); name != "" && name != "-" {
			out = append(out, key{name, v.Type().Name(), f, v.Field(i), f.Tag.Get("jsonschema") == "required"})
		}
	}
	return out
}

// isSection says whether a type is written as keys below a key.
func isSection(t reflect.Type) bool {
	_, scalar := scalars()[t]
	return t.Kind() == reflect.Struct && !scalar
}

// entryDefaults returns a fresh entry of a list, as the decoder begins it.
func entryDefaults(t reflect.Type) reflect.Value {
	switch t {
	case reflect.TypeFor[config.List]():
		return reflect.ValueOf(config.NewList(""))
	case reflect.TypeFor[config.Rule]():
		return reflect.ValueOf(config.NewRule(""))
	}
	return reflect.Zero(t)
}
