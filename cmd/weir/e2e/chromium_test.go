package e2e_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// browserWait bounds one visit of a page; a browser that starts cold on a busy machine takes some seconds.
const browserWait = 60 * time.Second

// page loads a style sheet, a script, an image and frames, speaks over a WebSocket, and says to /report what became of it.
const page = `<!doctype html><html><head><meta charset="utf-8"><title>e2e</title><link rel="stylesheet" href="/style.css"></head>
<body><p id="p">text</p><img id="img" src="/pixel.png"><img id="listed" src="https://x.listed.test:%d/pixel.png"><script src="/app.js"></script></body></html>`

const script = `
const result = {};
const socket = new WebSocket("wss://" + location.host + "/echo?fragments=3");
const long = "0123456789".repeat(5000);
socket.onopen = () => socket.send(long);
socket.onerror = () => { result.error = "WebSocket"; report(); };
socket.onmessage = (m) => { result.echo = m.data === long; result.extensions = socket.extensions; socket.close(1000); loaded.then(report); };
const loaded = new Promise((done) => window.addEventListener("load", done));
function report() {
  result.color = getComputedStyle(document.getElementById("p")).color;
  result.image = document.getElementById("img").naturalWidth;
  result.listed = document.getElementById("listed").naturalWidth;
  result.protocol = performance.getEntriesByType("navigation")[0].nextHopProtocol;
  fetch("/report", {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(result)});
}
`

// pixel is a PNG of one pixel.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// visit is what the page in the browser reports.
type visit struct {
	Color      string `json:"color"`
	Image      int    `json:"image"`
	Listed     int    `json:"listed"`
	Echo       bool   `json:"echo"`
	Extensions string `json:"extensions"`
	Protocol   string `json:"protocol"`
	Error      string `json:"error"`
}

// webSite serves the page; what it reports goes to reports.
func webSite(reports chan<- visit, port *int) http.Handler {
	mux := http.NewServeMux()
	give := func(path, contentType string, body func() string) {
		mux.HandleFunc("GET "+path, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", contentType)
			_, _ = io.WriteString(rw, body())
		})
	}
	give("/{$}", "text/html; charset=utf-8", func() string { return fmt.Sprintf(page, *port) })
	give("/style.css", "text/css", func() string { return "p { color: rgb(1, 2, 3) }" })
	give("/app.js", "text/javascript", func() string { return script })
	give("/pixel.png", "image/png", func() string {
		text, _ := base64.StdEncoding.DecodeString(pixel)
		return string(text)
	})
	mux.HandleFunc("/echo", wsEcho)
	mux.HandleFunc("POST /report", func(_ http.ResponseWriter, r *http.Request) {
		var v visit
		if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
			v.Error = err.Error()
		}
		reports <- v
	})
	return mux
}

// browser is a Chromium whose user trusts weir's CA.
type browser struct {
	home  string
	proxy string
}

func newBrowser(t testing.TB, w *weir) *browser {
	t.Helper()
	b := &browser{home: t.TempDir(), proxy: w.proxy}
	store := filepath.Join(b.home, ".pki", "nssdb")
	if err := os.MkdirAll(store, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-N", "--empty-password"}, {"-A", "-n", "weir", "-t", "C,,", "-i", w.caFile()}} {
		cmd := exec.Command(tool(t, "certutil"), append(args, "-d", "sql:"+store)...)
		cmd.Env = cleanEnv(b.home)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("certutil %v: %v: %s", args, err, out)
		}
	}
	return b
}

// open runs the browser on a URL until it ends or ctx does, and returns the DOM where it was asked for.
func (b *browser) open(ctx context.Context, t testing.TB, url string, flags ...string) (dom, messages string, err error) {
	t.Helper()
	args := append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--disable-default-apps", "--no-default-browser-check",
		"--user-data-dir=" + filepath.Join(b.home, "profile"), "--proxy-server=http://" + b.proxy, "--proxy-bypass-list=<-loopback>",
	}, flags...)
	cmd := exec.CommandContext(ctx, tool(t, "chromium"), append(args, url)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // the browser ends its children
	cmd.WaitDelay = 10 * time.Second
	var out, errOut bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = cleanEnv(b.home), &out, &errOut
	err = cmd.Run()
	return out.String(), errOut.String(), err
}

func TestChromium(t *testing.T) {
	t.Parallel()
	tool(t, "chromium")
	reports, port := make(chan visit, 1), 0
	world := newWorld(t, webSite(reports, &port), nil)
	port = world.tls
	list := writeFile(t, filepath.Join(t.TempDir(), "list.txt"), "listed.test\n")
	w := start(t, world.setting("lists:\n  - {name: unwanted, file: "+list+", format: wildcard, category: malware}\n"))
	b := newBrowser(t, w)

	t.Run("a page with sub-resources and a WebSocket", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), browserWait)
		defer cancel()
		ended := make(chan string, 1)
		go func() {
			_, messages, err := b.open(ctx, t, world.https("www.test", "/"), "--remote-debugging-port=0")
			ended <- fmt.Sprint(err, ": ", messages)
		}()
		select {
		case got := <-reports:
			want := visit{Color: "rgb(1, 2, 3)", Image: 1, Echo: true, Extensions: "permessage-deflate", Protocol: "h2"}
			if got != want {
				t.Errorf("the page saw %+v, want %+v", got, want)
			}
			cancel()
			<-ended
		case why := <-ended:
			t.Fatalf("the browser ended without a report: %s", why)
		}
		w := w.with(t)
		w.event("event.action", "http-request", "url.path", "/style.css", "weir.verdict", "allow", "http.version", "2")
		e := w.event("weir.verdict", "block", "destination.domain", "x.listed.test")
		if !e.is("weir.cause", "reputation", "weir.list.name", "unwanted") {
			t.Errorf("event of the listed image: %v", e)
		}
		e = w.event("event.action", "websocket")
		if !e.is("weir.websocket.compressed", "true", "weir.websocket.messages_sent", "1", "weir.verdict", "allow") {
			t.Errorf("event of the WebSocket: %v", e)
		}
	})
	t.Run("a page of a listed name", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), browserWait)
		defer cancel()
		dom, messages, err := b.open(ctx, t, world.https("www.listed.test", "/"), "--dump-dom")
		if err != nil {
			t.Fatalf("%v: %s", err, messages)
		}
		id := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`).FindString(dom)
		for _, want := range []string{"unwanted", "listed.test"} {
			if !strings.Contains(dom, want) {
				t.Errorf("the page does not name %q: %s", want, dom)
			}
		}
		if strings.Contains(dom, "ERR_") || strings.Contains(messages, "ERR_CERT") || id == "" {
			t.Fatalf("no block page: %s\n%s", dom, messages)
		}
		if e := w.with(t).event("event.id", id); !e.is("weir.verdict", "block", "weir.list.name", "unwanted") {
			t.Errorf("event: %v", e)
		}
	})
}
