package archtest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Violation is one broken rule, at one place.
type Violation struct {
	// File is the path of the source file, with :line where one is known.
	File string
	// What says what was found.
	What string
	// Why is the reason the rule carries.
	Why string
}

// String is the form that a failing test prints.
func (v Violation) String() string { return fmt.Sprintf("%s: %s\n\twhy: %s", v.File, v.What, v.Why) }

// Room gives a package, or with "/..." a whole subtree, its layer.
type Room struct {
	Pattern string
	Level   int
}

// Edge is an import between packages: as a peer rule it is allowed inside one layer, as a ban it is refused everywhere.
type Edge struct {
	From, To string
	Why      string
}

// Fence says where a third-party module may be imported.
type Fence struct {
	// Module is an import path prefix.
	Module string
	// Where lists package patterns, or single files when they end in ".go". Empty: test files only.
	Where []string
	Why   string
}

// Rules is the whole architecture as data.
type Rules struct {
	Rooms []Room
	// Peers are the allowed imports inside one layer.
	Peers []Edge
	// Bans are refused whatever the layers say. To may name a package of ours or an import path of the standard library.
	Bans []Edge
	// Parents are the allowed imports of a parent by its subpackage.
	Parents []Edge
	Fences  []Fence
	// BottomOnly are the third-party import paths that layer 0 may use.
	BottomOnly []string
	// Exempt packages are outside the layers; production code must not import them.
	Exempt []string
}

// Match reports whether dir is pattern, or lies below it where pattern ends in "/...".
func Match(pattern, dir string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return dir == base || strings.HasPrefix(dir, base+"/")
	}
	return pattern == dir
}

func matchAny(patterns []string, dir string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return Match(p, dir) })
}

// level finds the layer of a directory; the longest pattern wins.
func (r Rules) level(dir string) (int, bool) {
	best, level := -1, 0
	for _, room := range r.Rooms {
		if Match(room.Pattern, dir) && len(room.Pattern) > best {
			best, level = len(room.Pattern), room.Level
		}
	}
	return level, best >= 0
}

// Check returns every violation in the graph, in file order. Test files may import what they like, for a test may need
// an oracle or a peer from any layer; everything else is held to the rules.
func (r Rules) Check(g Graph) []Violation {
	var out []Violation
	for _, f := range g.Files {
		if f.Test || matchAny(r.Exempt, f.Dir()) {
			continue
		}
		if _, ok := r.level(f.Dir()); !ok {
			out = append(out, Violation{f.Path, "package " + f.Dir() + " is in no layer", whyUnknown})
			continue
		}
		for _, imp := range f.Imports {
			out = append(out, r.checkImport(g, f, imp)...)
		}
	}
	slices.SortStableFunc(out, func(a, b Violation) int { return cmp.Compare(a.File, b.File) })
	return out
}

func (r Rules) checkImport(g Graph, f File, imp string) []Violation {
	to, local := g.Local(imp)
	if !local {
		to = imp
	}
	if why, banned := find(r.Bans, f.Dir(), to); banned {
		return []Violation{{f.Path, "imports " + to, why}}
	}
	switch {
	case local:
		return r.checkLocal(f, to)
	case isStd(imp):
		return nil
	default:
		return r.checkThird(f, imp)
	}
}

func (r Rules) checkLocal(f File, to string) []Violation {
	from := f.Dir()
	if matchAny(r.Exempt, to) {
		return []Violation{{f.Path, "imports " + to, whyExempt}}
	}
	if strings.HasPrefix(from, to+"/") {
		if _, ok := find(r.Parents, from, to); !ok {
			return []Violation{{f.Path, "subpackage imports its parent " + to, whyParent}}
		}
	}
	target, ok := r.level(to)
	if !ok {
		return []Violation{{f.Path, "imports " + to + ", which is in no layer", whyUnknown}}
	}
	own, _ := r.level(from)
	switch {
	case target > own:
		return []Violation{{f.Path, fmt.Sprintf("L%d imports %s of L%d", own, to, target), whyUpward}}
	case target == own:
		if _, ok := find(r.Peers, from, to); !ok {
			return []Violation{{f.Path, fmt.Sprintf("imports %s of its own layer L%d", to, own), whyPeer}}
		}
	}
	return nil
}

func (r Rules) checkThird(f File, imp string) []Violation {
	if own, _ := r.level(f.Dir()); own == 0 && !slices.Contains(r.BottomOnly, imp) {
		return []Violation{{f.Path, "L0 imports " + imp, whyBottom}}
	}
	for _, fence := range r.Fences {
		if imp != fence.Module && !strings.HasPrefix(imp, fence.Module+"/") {
			continue
		}
		if fence.admits(f) {
			return nil
		}
		return []Violation{{f.Path, "imports " + imp, fence.Why}}
	}
	return []Violation{{f.Path, "imports " + imp + ", which no fence names", whyNewModule}}
}

func (f Fence) admits(file File) bool {
	return slices.ContainsFunc(f.Where, func(p string) bool {
		if strings.HasSuffix(p, ".go") {
			return file.Path == p
		}
		return Match(p, file.Dir())
	})
}

func find(edges []Edge, from, to string) (why string, ok bool) {
	for _, e := range edges {
		if Match(e.From, from) && Match(e.To, to) {
			return e.Why, true
		}
	}
	return "", false
}

// isStd uses the go command's own rule: a first element without a dot is not a module path that can be fetched.
func isStd(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	return !strings.Contains(first, ".")
}
