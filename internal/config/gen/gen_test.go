package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"weir/internal/config"
)

var update = flag.Bool("update", false, "write the generated files")

const root = "../../.."

func TestGeneratedFilesAreCurrent(t *testing.T) {
	if *update {
		if err := write(root); err != nil {
			t.Fatal(err)
		}
	}
	files, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 3 {
		t.Fatalf("%d generated files, want 3", len(files))
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is stale: run go generate ./internal/config", name)
		}
		if head, _, _ := bytes.Cut(want, []byte("\n  \"properties")); !bytes.Contains(head[:min(400, len(head))], []byte("DO NOT EDIT")) {
			t.Errorf("%s does not say that it is generated", name)
		}
	}
}

// TestCommentsStateDefaults keeps the doc comments true: each ends with the default that the code has.
func TestCommentsStateDefaults(t *testing.T) {
	c, err := readComments("..")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		for _, k := range keys(v) {
			text, name := c.of(k.typ, k.field.Name), k.typ+"."+k.field.Name
			want := "Default: " + defaultText(k) + "."
			switch {
			case text == "":
				t.Errorf("%s has no comment", name)
			case isSection(k.field.Type):
				walk(k.value)
				continue
			case k.required:
				want = "Required."
			}
			if !strings.HasSuffix(text, " "+want) {
				t.Errorf("the comment of %s does not end with %q: %q", name, want, text)
			}
			checked++
			if ft := k.field.Type; isNested(ft) {
				walk(entryDefaults(ft.Elem()))
			}
		}
	}
	walk(reflect.ValueOf(config.Default()).Elem())
	if checked < 70 {
		t.Errorf("only %d fields were checked", checked)
	}
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile(filepath.Join(root, "configs", "schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// judge says whether the schema takes a YAML text.
func judge(t *testing.T, s *jsonschema.Schema, data []byte) error {
	t.Helper()
	var v map[string]any
	if err := yaml.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(v) // dates become text, as in JSON
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(doc)
}

func TestShippedConfigs(t *testing.T) {
	s := compileSchema(t)
	names, err := filepath.Glob(filepath.Join(root, "configs", "*.yaml"))
	if err != nil || len(names) < 4 {
		t.Fatalf("found %d configs: %v", len(names), err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			if _, err := config.Load(name, config.Known{Detectors: []string{}}); err != nil {
				t.Errorf("does not load:\n%v", err)
			}
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := judge(t, s, data); err != nil {
				t.Errorf("the schema refuses it: %v", err)
			}
		})
	}
}

func TestDefaultYAMLMeansDefault(t *testing.T) {
	f, err := config.Load(filepath.Join(root, "configs", "default.yaml"), config.Known{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := config.Encode(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := config.Encode(config.Default(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("default.yaml means\n%s\nnot\n%s", got, want)
	}
}

func TestSchemaAndParserAgree(t *testing.T) {
	s := compileSchema(t)
	full, err := os.ReadFile(filepath.Join("..", "testdata", "full.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, yaml string
		ok         bool
	}{
		{"everything", string(full), true},
		{"unquoted TLS version", "proxy: {upstream: {min_tls: 1.3}}", true},
		{"size as a number", "inspection: {hold: 65536}", true},
		{"zero duration", "proxy: {limits: {drain_timeout: 0}}", true},
		{"section without a value", "proxy:", true},
		{"no rules", "rules:", true},
		{"wrong key", "proxy: {lisen: []}", false},
		{"wrong key at the top", "mod: observe", false},
		{"wrong key in a rule", "rules: [{name: a, action: block, name_s: [example.com]}]", false},
		{"missing action", "rules: [{name: a, names: [example.com]}]", false},
		{"wrong word", "mode: enforced", false},
		{"wrong type", "proxy: {listen: 127.0.0.1:1}", false},
		{"number out of range", "ca: {cache: 0}", false},
		{"port out of range", "proxy: {connect_ports: [0]}", false},
		{"duration without unit", "resolver: {timeout: 3}", false},
		{"unknown unit", "inspection: {hold: 64KB}", false},
		{"version", "version: 2", false},
		{"Line is not a key", "groups: [{name: a, networks: [10.0.0.0/8], Line: 3}]", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := judge(t, s, []byte(tc.yaml)); (err == nil) != tc.ok {
				t.Errorf("schema: %v", err)
			}
			if _, problems := config.Parse("x", []byte(tc.yaml), config.Known{}); (len(problems) == 0) != tc.ok {
				t.Errorf("parser: %v", problems)
			}
		})
	}
}
