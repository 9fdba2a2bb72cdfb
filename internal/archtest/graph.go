// Package archtest turns the architecture of docs/architecture.md into a test: the layers, who may import whom, where
// each third-party module may appear, and the source habits that the project insists on. The rules are data (rules.go),
// every rule carries the reason that is printed when it is broken, and the checker is itself tested against graphs that
// break each rule. Nothing outside this directory imports it.
package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// File is one Go source file as the checker sees it. Build tags are ignored on purpose: a forbidden import behind a tag
// is still forbidden.
type File struct {
	// Path is relative to the module root, with forward slashes.
	Path string
	// Imports are import paths as written.
	Imports []string
	// Test is true for _test.go files.
	Test bool
	// Package is the name in the package clause.
	Package string

	fset *token.FileSet
	ast  *ast.File
}

// Dir is the directory of the file relative to the module root; "." for the root.
func (f File) Dir() string { return path.Dir(f.Path) }

// Graph is every Go file of one module.
type Graph struct {
	// Module is the module path of go.mod; imports below it are ours.
	Module string
	Files  []File
}

// Local turns an import path into a directory of the module; ok is false for the standard library and third parties.
func (g Graph) Local(imp string) (dir string, ok bool) {
	if imp == g.Module {
		return ".", true
	}
	return strings.CutPrefix(imp, g.Module+"/")
}

// Load parses every Go file below root. Nested modules, testdata, and directories whose names begin with "." or "_" are
// left out, as the go command does. A file that does not parse is an error that names it.
func Load(root, module string) (Graph, error) {
	g := Graph{Module: module}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skipDir(root, p, d.Name())
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		f, err := parseFile(root, p)
		if err != nil {
			return err
		}
		g.Files = append(g.Files, f)
		return nil
	})
	if err != nil {
		return Graph{}, fmt.Errorf("walk %s: %w", root, err)
	}
	return g, nil
}

func skipDir(root, p, name string) error {
	if p == root {
		return nil
	}
	if name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(p, "go.mod")); err == nil {
		return filepath.SkipDir
	}
	return nil
}

func parseFile(root, p string) (File, error) {
	rel, err := filepath.Rel(root, p)
	if err != nil {
		return File{}, fmt.Errorf("relative path of %s: %w", p, err)
	}
	src, err := os.ReadFile(p)
	if err != nil {
		return File{}, fmt.Errorf("read source: %w", err)
	}
	return Parse(filepath.ToSlash(rel), src)
}

// Parse reads one file from memory; rel is its path relative to the module root.
func Parse(rel string, src []byte) (File, error) {
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, rel, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return File{}, fmt.Errorf("parse source: %w", err)
	}
	f := File{Path: rel, Test: strings.HasSuffix(rel, "_test.go"), Package: parsed.Name.Name, fset: fset, ast: parsed}
	for _, spec := range parsed.Imports {
		imp, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return File{}, fmt.Errorf("import in %s: %w", rel, err)
		}
		f.Imports = append(f.Imports, imp)
	}
	return f, nil
}
