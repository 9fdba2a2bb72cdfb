package blockpage

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/http"
	"strconv"
	"strings"
)

// form is what the client can make use of.
type form uint8

const (
	formEmpty form = iota // a sub-resource: nobody reads a body
	formHTML
	formJSON
	formPlain // command-line tools, which accept everything
	formGRPC
)

// formOf reads fetch metadata (W3C Fetch Metadata Request Headers) where the browser sends it, else Accept.
func formOf(req *http.Request) form {
	if strings.HasPrefix(strings.ToLower(req.Header.Get("Content-Type")), "application/grpc") {
		return formGRPC
	}
	accept := preferred(req.Header.Values("Accept"))
	mode, dest := req.Header.Get("Sec-Fetch-Mode"), req.Header.Get("Sec-Fetch-Dest")
	switch {
	case mode == "navigate", dest == "document", dest == "iframe", dest == "frame":
		return formHTML
	case accept == formJSON:
		return formJSON
	case mode != "" || dest != "":
		return formEmpty
	}
	return accept
}

// preferred returns the form that Accept likes best; among equals the first wins (RFC 9110 section 12.5.1).
func preferred(values []string) form {
	best, weight := formPlain, 0.0
	seen := false
	for _, v := range values {
		for item := range strings.SplitSeq(v, ",") {
			f, q := acceptItem(item)
			seen = true
			if q > weight {
				best, weight = f, q
			}
		}
	}
	if seen && weight == 0 {
		return formEmpty
	}
	return best
}

func acceptItem(item string) (form, float64) {
	name, params, _ := strings.Cut(item, ";")
	q := 1.0
	for p := range strings.SplitSeq(params, ";") {
		k, v, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(k, "q") {
			if f, err := strconv.ParseFloat(v, 64); err == nil && f >= 0 && f <= 1 {
				q = f
			}
		}
	}
	switch name = strings.ToLower(strings.TrimSpace(name)); {
	case name == "text/html", name == "application/xhtml+xml":
		return formHTML, q
	case name == "application/json", strings.HasSuffix(name, "+json"):
		return formJSON, q
	case name == "*/*", name == "text/plain", name == "text/*":
		return formPlain, q
	}
	return formEmpty, q
}

// style is the page's only style sheet; the Content-Security-Policy allows exactly its digest.
const style = `
:root{color-scheme:light dark;--fg:#1a1f24;--bg:#f6f7f9;--card:#fff;--dim:#5b6670;--line:#dfe4e8;--mark:#b3261e}
@media(prefers-color-scheme:dark){:root{--fg:#e6eaee;--bg:#14181c;--card:#1d2227;--dim:#98a4ae;--line:#2f373e;--mark:#ff8a80}}
body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,sans-serif}
main{max-width:40rem;margin:8vh auto;padding:2rem;background:var(--card);border:1px solid var(--line);border-top:4px solid var(--mark);border-radius:6px}
h1{margin:0 0 .5rem;font-size:1.5rem}
p{margin:.5rem 0;overflow-wrap:anywhere}
dl{margin:1.5rem 0 0;display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1rem;font-size:.9rem}
dt{color:var(--dim)}
dd{margin:0;overflow-wrap:anywhere}
footer{margin-top:1.5rem;color:var(--dim);font-size:.85rem}
`

const markup = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex">
<title>{{.Title}}</title>
<style>` + style + `</style>
</head>
<body>
<main>
<h1>{{.Title}}</h1>
<p><code>{{.What}}</code></p>
<p>{{.Why}}</p>
{{- with .Detail}}
<p>{{.}}</p>
{{- end}}
<dl>
{{- range .Rows}}
<dt>{{.Name}}</dt><dd>{{.Value}}</dd>
{{- end}}
</dl>
<footer>{{if .Policy}}If you need this for your work, send your administrator the event number.{{else}}This is a failure of the site or the network, not a decision of the policy.{{end}}</footer>
</main>
</body>
</html>
`

// pageTemplate is compiled once and never changes.
var pageTemplate = template.Must(template.New("page").Parse(markup))

// contentPolicy lets the page load nothing and run nothing: it cannot be made to leak, whatever text stands in it.
var contentPolicy = "default-src 'none'; style-src 'sha256-" + digest(style) + "'; base-uri 'none'; form-action 'none'"

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// row is a line of the table of facts.
type row struct{ Name, Value string }

// Rows lists the facts that are known.
func (p *page) Rows() []row {
	list := p.List
	if list != "" && p.Category != "" {
		list += " (" + p.Category + ")"
	}
	var out []row
	for _, r := range []row{
		{"Rule", p.Rule},
		{"List", list},
		{"Entry", p.Entry},
		{"Detector", p.Detector},
		{"Technique", p.Technique},
		{"Cause", p.Cause},
		{"Your address", p.Client},
		{"Time", p.Time},
		{"Event", p.EventID},
	} {
		if r.Value != "" {
			out = append(out, r)
		}
	}
	return out
}

func (p *page) html() []byte {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		return p.plain() // cannot happen: the template reads strings only
	}
	return b.Bytes()
}

func (p *page) plain() []byte {
	var b bytes.Buffer
	b.WriteString("weir: " + p.Title + "\n" + p.What + "\n" + p.Why + "\n")
	if p.Detail != "" {
		b.WriteString(p.Detail + "\n")
	}
	b.WriteByte('\n')
	for _, r := range p.Rows() {
		b.WriteString(r.Name + ": " + r.Value + "\n")
	}
	return b.Bytes()
}

// problem is the JSON form (RFC 9457).
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Target    string `json:"target"`
	EventID   string `json:"event_id"`
	Time      string `json:"time"`
	Cause     string `json:"cause"`
	Rule      string `json:"rule,omitempty"`
	List      string `json:"list,omitempty"`
	Category  string `json:"category,omitempty"`
	Entry     string `json:"entry,omitempty"`
	Detector  string `json:"detector,omitempty"`
	Technique string `json:"technique,omitempty"`
	Client    string `json:"client,omitempty"`
}

func (p *page) json() []byte {
	detail := p.Why
	if p.Detail != "" {
		detail += " " + p.Detail
	}
	out, err := json.Marshal(problem{
		Type: "about:blank", Title: p.Title, Status: p.kind.status, Detail: detail, Target: p.What, EventID: p.EventID, Time: p.Time,
		Cause: p.Cause, Rule: p.Rule, List: p.List, Category: p.Category, Entry: p.Entry, Detector: p.Detector,
		Technique: p.Technique, Client: p.Client,
	})
	if err != nil {
		return []byte("{}") // cannot happen: strings and an int
	}
	return append(out, '\n')
}
