// Package config reads weir's one YAML file into [File], its text form, and reports every mistake in it with file, line and
// column. It decides nothing: the composition root turns a File into each package's own Config. Layer L1.
//
// The field comments below are the reference: configs/default.yaml, configs/schema.json and docs/configuration.md are
// generated from them, from [Default] and from the field tags. A comment ends with "Default: VALUE." or with "Required.";
// a test compares it with what Default returns. Tags: yaml is the key ("-": not settable), bounds is the permitted range in
// the field's own text form, jsonschema:"required" marks a key that an entry must have.
//
// Relative paths start at the working directory of the process.
package config

//go:generate go run ./gen -root ../..
