package http1

import "strings"

// Tokens splits the values of a list field (RFC 9110 section 5.6.1), lower case, empty elements left out.
func Tokens(values []string) []string {
	var out []string
	for _, v := range values {
		for t := range strings.SplitSeq(v, ",") {
			if t = strings.ToLower(strings.Trim(t, " \t")); t != "" {
				out = append(out, t)
			}
		}
	}
	return out
}
