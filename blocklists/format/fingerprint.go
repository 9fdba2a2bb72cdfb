package format

import "strings"

// fingerprintLine reads a line of a list of JA3 or JA4 fingerprints: the first word, or the first field of a table (abuse.ch
// publishes "ja3_md5,Firstseen,Lastseen,Listingreason"). What follows is for people.
func (p *parser) fingerprintLine(line string) {
	if line[0] == '#' || line[0] == ';' {
		return
	}
	if fp, ok := fingerprint(line); ok {
		p.put(Entry{Fingerprint: fp})
	} else {
		p.skip(ReasonSyntax, line)
	}
}

// fingerprint reads a fingerprint at the beginning of a line, in lower case.
func fingerprint(line string) (string, bool) {
	word := line
	if end := strings.IndexAny(line, ",;\t |"); end >= 0 {
		word = line[:end]
	}
	if len(word) > 1 && word[0] == '"' && word[len(word)-1] == '"' {
		word = word[1 : len(word)-1]
	}
	return ParseFingerprint(word)
}

// ParseFingerprint reads the MD5 of JA3 or a JA4 (t13d1516h2_8daaf6152771_b186095e22b6) and gives it in lower case, as lists are
// keyed on it; ok is false for anything else.
func ParseFingerprint(word string) (fp string, ok bool) {
	word = strings.ToLower(word)
	if len(word) == 32 {
		return word, isHex(word)
	}
	parts := strings.Split(word, "_")
	ok = len(parts) == 3 && isJA4Head(parts[0]) && len(parts[1]) == 12 && isHex(parts[1]) && len(parts[2]) == 12 && isHex(parts[2])
	return word, ok
}

func startsWithFingerprint(line string) bool {
	_, ok := fingerprint(line)
	return ok
}

// isJA4Head knows the readable part of a JA4: transport, version, whether there is an SNI, how many ciphers and extensions, and
// the ends of the first ALPN value (JA4 technical details, "JA4_a").
func isJA4Head(s string) bool {
	return len(s) == 10 && strings.IndexByte("tqd", s[0]) >= 0 && strings.IndexByte("di", s[3]) >= 0 &&
		strings.Trim(s[4:8], "0123456789") == "" && strings.Trim(s, "0123456789abcdefghijklmnopqrstuvwxyz") == ""
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }
