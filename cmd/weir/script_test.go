package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// update rewrites the golden parts of the scripts.
var update = flag.Bool("update", false, "write what the scripts of testdata/script compare with")

// TestMain lets this test binary be the program that the scripts run.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"weir": func() { os.Exit(execute(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs the command line as testdata/script says. The scripts have these commands besides those of testscript:
//
//	exits CODE PROGRAM...  run a program that must end with this code
//	eicar FILE TEXT        write TEXT with the EICAR test string in the place of %s
//	addresses FILE         put free addresses for $PROXY, $DNS and $ADMIN into a file, and into the environment
//	ready                  wait until the weir at $ADMIN is ready
//	signal NAME            send HUP, TERM, INT or USR1 to the programs in the background
//	within PATTERN FILE    wait until the file has the text
//	website CONFIG         serve the directory www; $SITE in CONFIG
//	sign FILE CONFIG       sign FILE for minisign; $MINISIGN in CONFIG
//	nameserver ZONE SECRET CONFIG  serve the zone rpz.test by signed transfer; $NS in CONFIG
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: *update, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			root, err := os.Getwd()
			e.Setenv("CONFIGS", root+"/../../configs")
			e.Setenv("GORACE", "atexit_sleep_ms=0") // under the race detector every command would take a second to end
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": scriptExits, "eicar": scriptEICAR, "addresses": scriptAddresses, "ready": scriptReady, "signal": scriptSignal, "within": scriptWithin,
			"website": scriptWebsite, "sign": scriptSign, "nameserver": scriptNameServer,
		},
	})
}

func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG]...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if want, err := strconv.Atoi(args[0]); err != nil || code != want {
		ts.Fatalf("%s ended with %d, want %s", strings.Join(args[1:], " "), code, args[0])
	}
}

// eicarString weaves the EICAR test string (eicar.org), which must not stand in this source.
func eicarString() string {
	const (
		even = `XOP@P4PX4P)C)}ECRSADR-NIIU-ETFL!HH`
		odd  = `5!%A[\Z5(^7C7$IA-TNADATVRSTS-IE$+*`
	)
	var b strings.Builder
	for i := range len(even) {
		b.WriteByte(even[i])
		b.WriteByte(odd[i])
	}
	return b.String()
}

func scriptEICAR(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: eicar FILE TEXT")
	}
	text := strings.NewReplacer("%s", eicarString(), `\r`, "\r", `\n`, "\n").Replace(args[1])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

func scriptAddresses(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: addresses FILE")
	}
	text := ts.ReadFile(args[0])
	for _, name := range []string{"PROXY", "DNS", "ADMIN"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		defer func() { _ = l.Close() }()
		ts.Setenv(name, l.Addr().String())
		_, port, _ := net.SplitHostPort(l.Addr().String())
		ts.Setenv(name+"_PORT", port)
		text = strings.ReplaceAll(text, "$"+name, l.Addr().String())
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// scriptWait is how long ready and within wait: far longer than a start takes.
const scriptWait = 30 * time.Second

// poll asks f again and again until it returns nil.
func poll(ts *testscript.TestScript, f func() error) {
	deadline := time.NewTimer(scriptWait)
	defer deadline.Stop()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-deadline.C:
			ts.Fatalf("not within %v: %v", scriptWait, err)
		}
	}
}

func scriptReady(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: ready")
	}
	client := &http.Client{Timeout: scriptWait, Transport: &http.Transport{DisableKeepAlives: true}}
	poll(ts, func() error {
		r, err := client.Get("http://" + ts.Getenv("ADMIN") + "/readyz")
		if err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, r.Body)
		if err := r.Body.Close(); err != nil || r.StatusCode != http.StatusOK {
			return fmt.Errorf("%s, %w", r.Status, err)
		}
		return nil
	})
}

func scriptSignal(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]os.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "USR1": syscall.SIGUSR1}
	if neg || len(args) != 1 || signals[args[0]] == nil {
		ts.Fatalf("usage: signal HUP|TERM|INT|USR1")
	}
	for _, c := range ts.BackgroundCmds() {
		ts.Check(c.Process.Signal(signals[args[0]]))
	}
}

func scriptWithin(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: within TEXT FILE")
	}
	poll(ts, func() error {
		text, err := os.ReadFile(ts.MkAbs(args[1]))
		if err != nil || !strings.Contains(string(text), args[0]) {
			return fmt.Errorf("%q is not in %q, %w", args[0], text, err)
		}
		return nil
	})
}
