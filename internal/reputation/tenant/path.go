package tenant

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const (
	// maxSegments is how deep a tenant is named at most: /a/DOMAIN/forms/u/0/d/e/ID.
	maxSegments = 8
	// maxTenant bounds one captured part; identifiers of documents have 44 characters, project paths up to 100.
	maxTenant = 128
)

// tenantOf finds the tenant in a path by patterns, which are separated by blanks; the first that matches counts. A pattern
// matches the beginning of the path, segment by segment, literals without regard to case:
//
//   - captures the segment
//     *@   captures it up to an '@' (a version behind a project)
//     #    captures it when it consists of digits
//     .    captures it when it has a dot inside (a domain)
//     @    captures what follows its '@'
//     @*   captures it when it begins with '@' (the owner of a package)
//     bot# captures the digits between "bot" and ':' (the token follows)
//     _    skips it
//     ?k   at the end: captures parameter k of the query
//
// A pattern without capture says that what matches has no tenant. What is captured and is no plain identifier becomes '%' and a hash: servers
// differ in what they read there, so it is nobody's but its own.
func (r *row) tenantOf(path, patterns string) string {
	path, query, _ := strings.Cut(path, "?")
	path, _, _ = strings.Cut(path, "#")
	var segments [maxSegments]string
	n := split(path, &segments)
	if n < 0 {
		return ""
	}
	for pattern := range strings.FieldsSeq(patterns) {
		tenant, matched := match(pattern, segments[:n], query)
		if !matched {
			continue
		}
		if !r.cased {
			tenant = strings.ToLower(tenant)
		}
		if tenant != "" && !plainParts(tenant) {
			return "%" + digest(tenant)
		}
		return tenant
	}
	return ""
}

// split cuts a path into its first segments, without empty ones and "."; -1 for one with "..", which is not canonical.
func split(path string, segments *[maxSegments]string) int {
	n := 0
	for segment := range strings.SplitSeq(path, "/") {
		switch segment {
		case "", ".":
			continue
		case "..":
			return -1
		}
		if n < maxSegments {
			segments[n] = segment
			n++
		}
	}
	return n
}

// match compares one pattern; tenant is "" when it captures nothing, or something empty.
func match(pattern string, segments []string, query string) (tenant string, matched bool) {
	pattern, parameter, asked := strings.Cut(pattern, "?")
	good := true
	for token := range strings.SplitSeq(strings.TrimPrefix(pattern, "/"), "/") {
		if token == "" {
			continue
		}
		if len(segments) == 0 {
			return "", false
		}
		part, captures, fits := capture(token, segments[0])
		if !fits {
			return "", false
		}
		segments = segments[1:]
		if captures {
			good = good && part != ""
			tenant = join(tenant, part)
		}
	}
	if asked {
		value, found := value(query, parameter)
		if !found {
			return "", false
		}
		good = good && value != ""
		tenant = join(tenant, value)
	}
	if !good {
		return "", true
	}
	return tenant, true
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "/" + b
}

// capture compares one token of a pattern with one segment.
func capture(token, segment string) (part string, captures, fits bool) {
	switch token {
	case "_":
		return "", false, true
	case "*":
		return segment, true, true
	case "*@":
		part, _, _ = strings.Cut(segment, "@")
		return part, true, true
	case "#":
		return segment, true, digits(segment) == len(segment)
	case ".":
		i := strings.IndexByte(segment, '.')
		return segment, true, i > 0 && i < len(segment)-1
	case "@":
		_, part, fits = strings.Cut(segment, "@")
		return part, true, fits
	case "@*":
		return segment, true, len(segment) > 1 && segment[0] == '@'
	case "bot#":
		return bot(segment)
	default:
		return "", false, strings.EqualFold(token, segment)
	}
}

// bot takes the number of a Telegram bot out of "bot123:token"; the token never leaves this function.
func bot(segment string) (part string, captures, fits bool) {
	if len(segment) < 4 || !strings.EqualFold(segment[:3], "bot") {
		return "", false, false
	}
	rest := segment[3:]
	n := digits(rest)
	if n == 0 || !strings.HasPrefix(rest[n:], ":") && !strings.HasPrefix(strings.ToUpper(rest[n:min(len(rest), n+3)]), "%3A") {
		return "", false, false
	}
	return rest[:n], true, true
}

// digits counts the decimal digits that s begins with.
func digits(s string) int {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return i
		}
	}
	return len(s)
}

// plainParts says whether all captured parts are plain.
func plainParts(tenant string) bool {
	for part := range strings.SplitSeq(tenant, "/") {
		if !plain(part) {
			return false
		}
	}
	return true
}

// digest stands for what is no identifier, or may be a secret: 128 bits, which nobody meets on purpose.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}

// untold stands for a path that tells no tenant: "" for "/" alone, else '/' and a hash, for it may hold a secret. What is asked counts
// where parameters may tell, and at the root.
func (r *row) untold(name, path string) string {
	path, _, _ = strings.Cut(path, "#")
	path, query, asked := strings.Cut(path, "?")
	var b strings.Builder
	for segment := range strings.SplitSeq(path, "/") {
		if segment != "" && segment != "." {
			b.WriteString("/" + segment)
		}
	}
	if asked && (b.Len() == 0 || strings.Contains(r.paths+r.marks, "?")) {
		b.WriteString("?" + query)
	}
	if b.Len() == 0 {
		return ""
	}
	return "/" + digest(name+b.String())
}

// plain says whether s is an identifier as services give them. Escapes, parameters and backslashes are not: servers differ in what
// they read there.
func plain(s string) bool {
	if s == "" || len(s) > maxTenant {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' {
			continue
		}
		if strings.IndexByte("-._~@!,:", c) < 0 {
			return false
		}
	}
	return true
}

// value finds a parameter in a query; one that occurs twice is none.
func value(query, parameter string) (found string, ok bool) {
	for pair := range strings.SplitSeq(query, "&") {
		name, v, _ := strings.Cut(pair, "=")
		if name != parameter {
			continue
		}
		if ok {
			return "", true
		}
		found, ok = v, true
	}
	return found, ok
}
