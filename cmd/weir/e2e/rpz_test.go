package e2e_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

var updateRPZ = flag.Bool("update-rpz", false, "rewrite the table of docs/rpz.md")

// rpzDoc is the page that shows what the peers answer.
const rpzDoc = "../../../docs/rpz.md"

// TestRPZ asks unbound, BIND and weir the same questions under one response policy zone with every trigger and action. Every difference between weir and a
// peer must be one of rpzDifferences, each of those must be seen, and docs/rpz.md must show what was answered.
func TestRPZ(t *testing.T) {
	t.Parallel()
	b := newRPZBook(t)
	b.net.serve(t)
	zone := writeFile(t, filepath.Join(t.TempDir(), "policy.rpz"), b.text())
	w := start(t, setting{dns: b.net.at(recursive), six: true, more: rpzConfig(zone)})
	peers := []peer{{name: "weir", v4: w.dns, v6: w.dns6}, b.net.startUnbound(t, zone), b.net.startNamed(t, zone)}
	rows := b.askAll(t, peers, zone)
	if len(rows) < 200 {
		t.Fatalf("only %d questions", len(rows))
	}
	if peers[1].version != rpzUnbound || peers[2].version != rpzBIND {
		t.Logf("############ unbound %s and BIND %s are not the versions of docs/rpz.md: only the answers of weir are compared", peers[1].version, peers[2].version)
		ownColumn(t, rows)
		return
	}
	show(t, rows, explain(t, rows, peers), peers)
}

// The versions that docs/rpz.md tells of: those of Debian 12. Fixes by Debian do not change the first two numbers.
const (
	rpzUnbound = "1.17"
	rpzBIND    = "9.18"
)

// ownColumn compares what weir answered with the page.
func ownColumn(t *testing.T, rows []rpzRow) {
	t.Helper()
	page := readFile(t, rpzDoc)
	for _, r := range rows {
		if !strings.Contains(page, "\n"+r.begin()) {
			t.Errorf("weir's answer is not that of %s: %s", rpzDoc, r.begin())
		}
	}
}

// begin is the part of a row that no peer has a say in.
func (r rpzRow) begin() string {
	return fmt.Sprintf("| %s | %s`%s` | %s |", r.id, r.from(), short(r.question()), cell(r.said[0]))
}

// rpzConfig puts a policy zone in force, with all grants.
func rpzConfig(zone string) string {
	return "builtin_lists: false\nlists:\n  - {name: policy, file: " + zone + ", format: rpz, grants: [allow, rewrite, clients]}\n"
}

// rpzRow is a question and what each peer said.
type rpzRow struct {
	rpzCase
	said []string
}

func (r rpzRow) question() string { return r.name + " " + dns.TypeToString[r.qtype] }

// askAll asks everybody everything, over UDP and then over TCP. Each is asked one question after the other, for unbound's answers hang on what it was asked
// before; only where nobody may answer are they asked at once.
func (b *rpzBook) askAll(t *testing.T, peers []peer, zone string) []rpzRow {
	t.Helper()
	rows := make([]rpzRow, len(b.cases))
	for i, c := range b.cases {
		rows[i] = rpzRow{c, make([]string, len(peers))}
	}
	var all sync.WaitGroup
	for j, p := range peers {
		all.Go(func() {
			for i, c := range b.cases {
				switch {
				case p.name == "unbound" && c.deadly():
				case strings.Contains(c.id, "drop"):
					all.Go(func() { rows[i].said[j] = p.both(c) })
				default:
					rows[i].said[j] = p.both(c)
				}
			}
		})
	}
	for i, c := range b.cases {
		if c.deadly() {
			rows[i].said[1] = b.net.startUnbound(t, zone).survives(c)
		}
	}
	all.Wait()
	return rows
}

// both asks over UDP and then over TCP.
func (p peer) both(c rpzCase) string {
	u, s := p.ask(c.client, "udp", c.name, c.qtype), p.ask(c.client, "tcp", c.name, c.qtype)
	if u != s {
		return u + " / TCP: " + s
	}
	return u
}

// explain finds the reason of each difference; notes are the numbers of the reasons by row and peer.
func explain(t *testing.T, rows []rpzRow, peers []peer) (notes [][]int) {
	t.Helper()
	known, seen := rpzDifferences(), map[int]bool{}
	for _, r := range rows {
		note := make([]int, len(peers))
		for j := 1; j < len(peers); j++ {
			if r.said[j] == r.said[0] {
				continue
			}
			for n, d := range known {
				if d.covers(r, peers[j].name) {
					note[j] = n + 1
					break
				}
			}
			if seen[note[j]] = true; note[j] == 0 {
				t.Errorf("%s: %s: weir says %q, %s %q, and no difference is listed (rule: %s)", r.id, r.question(), r.said[0], peers[j].name, r.said[j], r.rule)
			}
		}
		notes = append(notes, note)
	}
	for n, d := range known {
		if !seen[n+1] {
			t.Errorf("difference %d is listed and was not seen: %s", n+1, d.why)
		}
	}
	return notes
}

// show compares the table with the page. Where a peer is of another version than the page says, only what weir says must agree.
func show(t *testing.T, rows []rpzRow, notes [][]int, peers []peer) {
	t.Helper()
	text := readFile(t, rpzDoc)
	const begin, end = "<!-- the test writes this: begin -->\n", "<!-- the test writes this: end -->\n"
	before, rest, ok := strings.Cut(text, begin)
	was, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", rpzDoc)
	}
	now := rpzTable(rows, notes, peers)
	if *updateRPZ {
		if err := os.WriteFile(rpzDoc, []byte(before+begin+now+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if now == was {
		return
	}
	t.Errorf("%s is not what was answered: run this test with -update-rpz and look at the difference; it begins with\n%s", rpzDoc, firstDifference(was, now))
}

func firstDifference(was, now string) string {
	old, lines := strings.Split(was, "\n"), strings.Split(now, "\n")
	for i := range min(len(old), len(lines)) {
		if old[i] != lines[i] {
			return "- " + old[i] + "\n+ " + lines[i]
		}
	}
	return fmt.Sprintf("%d lines, now %d", len(old), len(lines))
}

// rpzTable writes the table and the reasons in Markdown.
func rpzTable(rows []rpzRow, notes [][]int, peers []peer) string {
	var s strings.Builder
	same := 0
	for i := range rows {
		if rows[i].said[1] == rows[i].said[0] {
			same++
		}
	}
	fmt.Fprintf(&s, "%d questions, each over UDP and TCP, to weir, unbound %s and BIND %s: unbound answers %d of them as weir does.\n\n", len(rows), peers[1].version, peers[2].version, same)
	s.WriteString("The differences:\n\n")
	for n, d := range rpzDifferences() {
		fmt.Fprintf(&s, "%d. %s\n", n+1, d.why)
	}
	s.WriteString("\n| About | Client asks for | weir | unbound | BIND |\n|---|---|---|---|---|\n")
	for i, r := range rows {
		s.WriteString(r.begin())
		for j := 1; j < len(peers); j++ {
			if r.said[j] == r.said[0] {
				s.WriteString(" = |")
			} else {
				fmt.Fprintf(&s, " %s [%d] |", cell(r.said[j]), notes[i][j])
			}
		}
		s.WriteString("\n")
	}
	return s.String()
}

// from names the client where it matters.
func (r rpzRow) from() string {
	if r.client == client {
		return ""
	}
	return r.client + ": "
}

func short(text string) string {
	if len(text) > 60 {
		return text[:28] + "..." + text[len(text)-28:]
	}
	return text
}

// cell is an answer in a table: an asterisk is no markup.
func cell(said string) string { return strings.NewReplacer("|", `\|`, "*", `\*`).Replace(said) }
