package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/app"
)

// TestPopularityList: look-alikes are found of the names of the operator's own popularity list, as lines or as Tranco has it; a reload
// with another list puts other names in place, and one that changes nothing of them keeps what was made of them.
func TestPopularityList(t *testing.T) {
	t.Parallel()
	list := filepath.Join(t.TempDir(), "top.csv")
	write := func(top string) {
		var text strings.Builder
		text.WriteString("rank,domain\n")
		for i := range 300 {
			text.WriteString(sprintf("%d,%c%d-site.example\n", i+2, 'a'+i*7%26, i))
		}
		if err := os.WriteFile(list, []byte(strings.Replace(text.String(), "2,a0-site.example", "2,"+top, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("gardenmarket.example")
	w, f := service(t, "lists: [{name: top, class: known, format: csv, column: domain, file: "+list+", max_change: 0}]")
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	app.Imitate(t, w) // what else happens by itself soon after the start
	why := func(name string) string {
		a, err := app.CheckOn(w, name)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if got := why("gardenrnarket.example"); !strings.Contains(got, "look-alike of gardenmarket.example") {
		t.Errorf("first list: %s", got)
	}
	first := app.Imitated(w)
	reload := func() {
		t.Helper()
		if _, err := w.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if reload(); app.Imitated(w) != first {
		t.Error("a reload that changes no list made everything again")
	}
	write("riverbank.example")
	reload()
	if got := why("gardenrnarket.example"); strings.Contains(got, "look-alike") {
		t.Errorf("the old list still speaks: %s", got)
	}
	if got := why("riverbcink.example") + why("r1verbank.example"); !strings.Contains(got, "look-alike of riverbank.example") {
		t.Errorf("second list: %s", got)
	}
	config := sprintf("data_dir: %s\n", filepath.Dir(f.Path)) + quiet("reputation: {protect: [hillside.example]}")
	if err := os.WriteFile(f.Path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	reload()
	if got := why("riverbαnk.example"); strings.Contains(got, "look-alike") {
		t.Errorf("the list is gone: %s", got)
	}
	if got := why("hil1side.example"); !strings.Contains(got, "look-alike of hillside.example") {
		t.Errorf("protect: %s", got)
	}
}
