package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
)

// Limits of the house: a file is one clear room, a function is read at one sight.
const (
	maxFileLines  = 500
	maxFuncLines  = 60
	maxCyclomatic = 12
)

// Habits are the source rules that no import graph can show.
type Habits struct {
	// Selectors are names of other packages that may not be used.
	Selectors []Selector
	// Methods are calls that only their owners make.
	Methods []Method
	// Idents are names that may not appear at all: methods, fields and dot imports included.
	Idents map[string]string
	// PackageNames that say nothing.
	PackageNames []string
	// Allow lists the exceptions, each with its reason.
	Allow []Exception
}

// Exception forgives the violations of one file whose text begins with What.
type Exception struct {
	Path, What, Why string
}

func (e Exception) covers(v Violation) bool {
	file, _, _ := strings.Cut(v.File, ":")
	return e.Why != "" && file == e.Path && strings.HasPrefix(v.What, e.What)
}

// Selector bans pkg.Name in the packages that In matches; an empty In means everywhere.
type Selector struct {
	Package string
	Names   []string
	In      []string
	// ExceptMain spares commands.
	ExceptMain bool
	Why        string
}

// Method bans calls of methods by their names, whatever the receiver, in the packages that In matches.
type Method struct {
	Names []string
	// Via, when it is set, bans only calls on what a call of Via returned: x.Via().Name().
	Via string
	In  []string
	Why string
}

func (m Method) bans(n *ast.CallExpr) (name string, ok bool) {
	sel, ok := n.Fun.(*ast.SelectorExpr)
	if !ok || !slices.Contains(m.Names, sel.Sel.Name) {
		return "", false
	}
	if m.Via == "" {
		return sel.Sel.Name, true
	}
	from, ok := sel.X.(*ast.CallExpr)
	if !ok {
		return "", false
	}
	via, ok := from.Fun.(*ast.SelectorExpr)
	return m.Via + "()." + sel.Sel.Name, ok && via.Sel.Name == m.Via
}

// Lint returns what breaks the habits. Test files are exempt from the size limits only, and from the clock rule.
func (h Habits) Lint(g Graph, exempt []string) []Violation {
	var out []Violation
	for _, f := range g.Files {
		if matchAny(exempt, f.Dir()) {
			continue
		}
		out = append(out, h.lintNames(f)...)
		if !f.Test {
			out = append(out, lintSizes(f)...)
			out = append(out, lintState(f)...)
		}
	}
	return slices.DeleteFunc(out, func(v Violation) bool {
		return slices.ContainsFunc(h.Allow, func(e Exception) bool { return e.covers(v) })
	})
}

func (f File) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", f.Path, f.fset.Position(n.Pos()).Line)
}

func (f File) lines(n ast.Node) int {
	return f.fset.Position(n.End()).Line - f.fset.Position(n.Pos()).Line + 1
}

func (h Habits) lintNames(f File) []Violation {
	var out []Violation
	if slices.Contains(h.PackageNames, strings.TrimSuffix(f.Package, "_test")) {
		out = append(out, Violation{f.Path, "package " + f.Package, "a package is named after what it holds"})
	}
	names := importNames(f)
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Name.Name == "init" && n.Recv == nil {
				out = append(out, Violation{f.at(n), "func init", "no init() registration: one constructor lists the parts"})
			}
		case *ast.SelectorExpr:
			out = append(out, h.lintSelector(f, names, n)...)
		case *ast.CallExpr:
			out = append(out, h.lintCall(f, n)...)
		case *ast.Ident:
			if why := h.Idents[n.Name]; why != "" {
				out = append(out, Violation{f.at(n), "uses " + n.Name, why})
			}
		}
		return true
	})
	return out
}

func (h Habits) lintSelector(f File, names map[string]string, n *ast.SelectorExpr) []Violation {
	x, ok := n.X.(*ast.Ident)
	if !ok || names[x.Name] == "" {
		return nil
	}
	for _, s := range h.Selectors {
		if s.ExceptMain && f.Package == "main" || s.Package != names[x.Name] || !slices.Contains(s.Names, n.Sel.Name) {
			continue
		}
		if len(s.In) > 0 && (f.Test || !matchAny(s.In, f.Dir())) {
			continue
		}
		return []Violation{{f.at(n), "uses " + x.Name + "." + n.Sel.Name, s.Why}}
	}
	return nil
}

// lintCall holds everything but tests to the methods that only their owners call: a test may ask an oracle.
func (h Habits) lintCall(f File, n *ast.CallExpr) []Violation {
	if f.Test {
		return nil
	}
	var out []Violation
	for _, m := range h.Methods {
		if name, banned := m.bans(n); banned && matchAny(m.In, f.Dir()) {
			out = append(out, Violation{f.at(n), "calls " + name, m.Why})
		}
	}
	return out
}

func importNames(f File) map[string]string {
	names := map[string]string{}
	for i, spec := range f.ast.Imports {
		name := path.Base(f.Imports[i])
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = f.Imports[i]
	}
	return names
}

func lintSizes(f File) []Violation {
	var out []Violation
	if n := f.fset.File(f.ast.Pos()).LineCount(); n > maxFileLines {
		out = append(out, Violation{f.Path, fmt.Sprintf("%d lines, %d allowed", n, maxFileLines), "a file is one clear room; split where it holds two"})
	}
	for _, d := range f.ast.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if n := f.lines(fn); n > maxFuncLines {
			out = append(out, Violation{f.at(fn), fmt.Sprintf("%s has %d lines, %d allowed", fn.Name.Name, n, maxFuncLines), "a function is read at one sight"})
		}
		if n := cyclomatic(fn); n > maxCyclomatic {
			out = append(out, Violation{f.at(fn), fmt.Sprintf("%s has cyclomatic complexity %d, %d allowed", fn.Name.Name, n, maxCyclomatic), "split the cases into named functions or a table"})
		}
	}
	return out
}

// cyclomatic counts 1 plus the branches of a function, its literals included: if, for, range, each case that is not the
// default, && and ||.
func cyclomatic(fn *ast.FuncDecl) int {
	n := 1
	ast.Inspect(fn, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt:
			n++
		case *ast.CaseClause:
			if node.List != nil {
				n++
			}
		case *ast.CommClause:
			if node.Comm != nil {
				n++
			}
		case *ast.BinaryExpr:
			if node.Op == token.LAND || node.Op == token.LOR {
				n++
			}
		}
		return true
	})
	return n
}

// lintState finds package-level variables that are made to change: locks, atomics, and maps or channels made empty.
// Tables, error sentinels, interface guards and sync.Pool (which holds no meaning) pass.
func lintState(f File) []Violation {
	var out []Violation
	for _, d := range f.ast.Decls {
		gen, ok := d.(*ast.GenDecl)
		if !ok || gen.Tok != token.VAR {
			continue
		}
		for _, s := range gen.Specs {
			spec, ok := s.(*ast.ValueSpec)
			if ok && mutable(spec) {
				out = append(out, Violation{f.at(spec), "package-level state " + spec.Names[0].Name, "no package-level mutable state: an object owns it and the constructor makes it"})
			}
		}
	}
	return out
}

func mutable(spec *ast.ValueSpec) bool {
	if sel, ok := spec.Type.(*ast.SelectorExpr); ok && stateful(sel) {
		return true
	}
	return slices.ContainsFunc(spec.Values, func(e ast.Expr) bool {
		switch e := e.(type) {
		case *ast.CallExpr:
			id, ok := e.Fun.(*ast.Ident)
			return ok && id.Name == "make"
		case *ast.CompositeLit:
			sel, ok := e.Type.(*ast.SelectorExpr)
			return ok && stateful(sel)
		}
		return false
	})
}

func stateful(sel *ast.SelectorExpr) bool {
	pkg, ok := sel.X.(*ast.Ident)
	return ok && (pkg.Name == "atomic" || pkg.Name == "sync" && sel.Sel.Name != "Pool")
}
