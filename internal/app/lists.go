package app

import (
	"fmt"

	"weir/blocklists"
	"weir/blocklists/format"
	"weir/blocklists/lists"
	"weir/blocklists/set"
	"weir/blocklists/source"
	"weir/internal/config"
)

// sources turns the lists of the config file into those of package source; the built-in ones come last, so that an operator's
// own list is named first when both say the same.
func sources(f *config.File) ([]source.Source, error) {
	var out []source.Source
	for i := range f.Lists {
		s, err := listSource(&f.Lists[i])
		if err != nil {
			return nil, fmt.Errorf("%s:%d: list %q: %w", f.Name(), f.Lists[i].Line, f.Lists[i].Name, err)
		}
		if l := &f.Lists[i]; l.Transfer.Given() {
			at := fmt.Sprintf("lists[%d]", i)
			if s.Transfer, err = transfer(f, at+".transfer", l.Transfer); err != nil {
				return nil, err
			}
			if !f.Given(at+".refresh") && l.Refresh == config.NewList("").Refresh {
				s.Interval = 0 // the zone says it
			}
		}
		out = append(out, s)
	}
	for i := range out {
		out[i].MayEnd = endsInBlock(f, &out[i].List)
	}
	if f.BuiltinLists {
		out = append(out, lists.Builtin()...)
	}
	return out, nil
}

func listSource(l *config.List) (source.Source, error) {
	class, err := set.ParseClass(string(l.Class))
	if err != nil {
		return source.Source{}, err
	}
	act := blocklists.ActionByClass
	if l.Action != "" {
		if act, err = set.ParseAction(string(l.Action)); err != nil {
			return source.Source{}, err
		}
	}
	kind := format.Auto
	if l.Format != "" {
		if kind, err = format.ParseFormat(string(l.Format)); err != nil {
			return source.Source{}, err
		}
	}
	s := source.Source{
		List: blocklists.List{Name: l.Name, Class: class, Category: l.Category, Action: act, Groups: l.Groups, Priority: l.Priority, Confidence: uint8(l.Confidence), Shadow: l.Shadow},
		Path: l.File, URL: l.URL, Format: kind, Column: l.Column, MaxBytes: int64(l.MaxBytes), SHA256: l.SHA256,
		Minisign: l.Minisign, SignatureURL: l.SignatureURL, Interval: l.Refresh.Std(), Dir: l.Dir, MaxChange: changeFactor(l.MaxChange), Expires: l.Expires.Std(), MayBlock: allowance(l.MayBlock),
	}
	for _, g := range l.Grants {
		s.List.GrantAllow = s.List.GrantAllow || g == config.GrantAllow
		s.List.GrantRewrite = s.List.GrantRewrite || g == config.GrantRewrite
		s.List.GrantClients = s.List.GrantClients || g == config.GrantClients
	}
	return s, nil
}

// known names what the config file may refer to beside what it defines itself.
func known(detectors []string) config.Known {
	k := config.Known{Detectors: detectors}
	for _, s := range lists.Builtin() {
		k.Lists = append(k.Lists, s.List.Name)
		k.Categories = append(k.Categories, s.List.Category)
	}
	return k
}

// changeFactor turns percent into how many times more or fewer.
func changeFactor(percent int) float64 {
	if percent == 0 {
		return source.AnyChange
	}
	return 1 + float64(percent)/100
}

func allowance(in []config.NameOrNet) (out source.Allowance) {
	for _, n := range in {
		if n.Prefix.IsValid() {
			out.Prefixes = append(out.Prefixes, n.Prefix.Prefix)
		} else {
			out.Names = append(out.Names, n.Name.Name)
		}
	}
	return out
}
