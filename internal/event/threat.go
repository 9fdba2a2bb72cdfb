package event

import "slices"

// maxTechniques bounds threat.technique.id of one event; one stream rarely shows more than three.
const maxTechniques = 16

// Tactics of MITRE ATT&CK (Enterprise) to which the techniques that weir's detectors name belong.
type tactic struct{ id, name string }

var (
	commandAndControl = tactic{"TA0011", "Command and Control"}
	exfiltration      = tactic{"TA0010", "Exfiltration"}
	defenseEvasion    = tactic{"TA0005", "Defense Evasion"}
)

// tacticOf returns the tactic of a technique (without its sub-technique); false for one that is not ours.
func tacticOf(technique string) (tactic, bool) {
	switch technique {
	case "T1001", "T1071", "T1090", "T1102", "T1105", "T1132", "T1568", "T1571", "T1572", "T1573":
		return commandAndControl, true
	case "T1030", "T1041", "T1048":
		return exfiltration, true
	case "T1027":
		return defenseEvasion, true
	}
	return tactic{}, false
}

// splitTechnique splits T1071.001 into the technique T1071 and itself as the sub-technique; false for what is no ATT&CK id.
func splitTechnique(id string) (technique, sub string, ok bool) {
	const plain, full = len("T1071"), len("T1071.001")
	if len(id) != plain && len(id) != full || id[0] != 'T' || !digits(id[1:plain]) {
		return "", "", false
	}
	if len(id) == plain {
		return id, "", true
	}
	if id[plain] != '.' || !digits(id[plain+1:]) {
		return "", "", false
	}
	return id[:plain], id, true
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// threats are the distinct techniques of an event's findings, in the order in which they were found.
type threats struct {
	tactics          []tactic
	techniques, subs []string
}

func threatsOf(findings []Finding) threats {
	var t threats
	for i := range findings {
		technique, sub, ok := splitTechnique(findings[i].Technique)
		if !ok || len(t.techniques)+len(t.subs) >= maxTechniques {
			continue
		}
		if !slices.Contains(t.techniques, technique) {
			t.techniques = append(t.techniques, technique)
		}
		if sub != "" && !slices.Contains(t.subs, sub) {
			t.subs = append(t.subs, sub)
		}
		if ta, known := tacticOf(technique); known && !slices.Contains(t.tactics, ta) {
			t.tactics = append(t.tactics, ta)
		}
	}
	return t
}

// threat writes threat.*; nothing without a finding that names a technique.
func (l *line) threat(e *Event) {
	t := threatsOf(e.Findings)
	if len(t.techniques) == 0 {
		return
	}
	s := l.object("threat")
	l.text("framework", "MITRE ATT&CK", maxWord)
	ids := make([]string, 0, len(t.tactics))
	names := make([]string, 0, len(t.tactics))
	for _, ta := range t.tactics {
		ids, names = append(ids, ta.id), append(names, ta.name)
	}
	o := l.object("tactic")
	l.texts("id", ids, maxWord, maxName)
	l.texts("name", names, maxWord, maxName)
	l.end(o)
	o = l.object("technique")
	l.texts("id", t.techniques, maxWord, maxName)
	sub := l.object("subtechnique")
	l.texts("id", t.subs, maxWord, maxName)
	l.end(sub)
	l.end(o)
	l.end(s)
}

// mitigations appends to out the ATT&CK mitigations that the event shows at work: M1037 (filter network traffic) where a name, address
// or rule was the reason, M1031 (network intrusion prevention) where a detector found something.
func mitigations(e *Event, out []string) []string {
	if len(e.Findings) > 0 || e.Cause == "detector" {
		out = append(out, "M1031")
	}
	switch e.Cause {
	case "rule", "list", "reputation", "safety", "default":
		if blocked(e) || wouldBlock(e) {
			out = append(out, "M1037")
		}
	}
	return out
}
