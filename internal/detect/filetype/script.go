package filetype

import (
	"bytes"
	"math/bits"
	"path"
	"slices"
	"strings"
)

// shebangLine is how much of the first line Linux reads (BINPRM_BUF_SIZE in linux/binfmts.h).
const shebangLine = 256

// shebang says whether head begins with #! and the absolute path of an interpreter that we know, directly or behind env(1).
func shebang(head []byte, whole bool) bool {
	if !bytes.HasPrefix(head, []byte("#!")) {
		return false
	}
	line := head[2:min(len(head), shebangLine)]
	end := bytes.IndexByte(line, '\n')
	if end < 0 && len(head) < shebangLine && !whole {
		return false // the name may go on
	}
	if end >= 0 {
		line = line[:end]
	}
	words := strings.Fields(string(line))
	if len(words) == 0 || words[0][0] != '/' {
		return false
	}
	if path.Base(words[0]) != "env" {
		return interpreter(words[0])
	}
	for _, w := range words[1:] {
		if w[0] != '-' && !strings.Contains(w, "=") {
			return interpreter(w)
		}
	}
	return false
}

// interpreter knows programs that run a file, with any version behind the name.
func interpreter(file string) bool {
	name := strings.TrimRight(path.Base(file), "0123456789.-")
	return slices.Contains([]string{
		"sh", "bash", "dash", "zsh", "ksh", "mksh", "csh", "tcsh", "fish", "ash", "rbash", "busybox", "python", "pypy", "perl", "ruby",
		"jruby", "node", "nodejs", "deno", "bun", "php", "lua", "luajit", "tclsh", "wish", "expect", "awk", "gawk", "mawk", "nawk", "sed",
		"osascript", "pwsh", "powershell", "make", "Rscript", "groovy", "guile", "scheme", "racket", "julia", "ocaml", "runghc",
		"swift", "elixir", "escript", "java", "go", "gdb", "socat", "nft", "crystal",
	}, name)
}

// byWords finds the kinds that have no magic number. Each asks for words that belong together, and nothing but text around
// them, for a page may well speak of one.
func byWords(head []byte, whole bool, want Kinds) Kind {
	var room [HeadSize]byte
	if want.Has(Batch) && isBatch(fold(room[:], head[:min(len(head), firstCheck)])) {
		return Batch
	}
	if !whole || want&Of(PowerShell, WindowsScript, HTA, Scriptlet) == 0 {
		return None
	}
	text := fold(room[:], head)
	if len(text) == 0 || !isText(text) {
		return None
	}
	found := lexicon.find(text)
	if text[0] == '<' {
		return markup(found, want)
	}
	switch {
	case want.Has(PowerShell) && bits.OnesCount32(found&powerShellGroups) >= 2:
		return PowerShell
	case want.Has(WindowsScript) && bits.OnesCount32(found&scriptHostGroups) >= 2:
		return WindowsScript
	}
	return None
}

// markup: an HTML application says so in a tag of its own; a scriptlet has a registration or a script inside.
func markup(found uint32, want Kinds) Kind {
	switch {
	case want.Has(HTA) && found&applicationGroup != 0:
		return HTA
	case want.Has(Scriptlet) && found&scriptletGroups == scriptletGroups:
		return Scriptlet
	}
	return None
}

// isBatch: the first command of nearly every command script, which begins no other text.
func isBatch(text []byte) bool {
	const first = "@echo off"
	return len(text) > len(first) && string(text[:len(first)]) == first && strings.IndexByte("\r\n &", text[len(first)]) >= 0
}

// fold copies head into room without byte order mark and leading white space, in lower case; UTF-16LE becomes one octet a
// character.
func fold(room, head []byte) []byte {
	step := 1
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		head = head[3:]
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		head, step = head[2:], 2
	case wide(head):
		step = 2
	}
	n := 0
	for i := 0; i < len(head); i += step {
		c := head[i]
		if n == 0 && (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
			continue
		}
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		room[n] = c
		n++
	}
	return room[:n]
}

// wide guesses UTF-16LE without a mark, as PowerShell's encoded commands are.
func wide(head []byte) bool {
	const sample = 16
	if len(head) < sample {
		return false
	}
	for i := 0; i < sample; i += 2 {
		if head[i] == 0 || head[i+1] != 0 {
			return false
		}
	}
	return true
}

// isText says that there is no control octet in p but white space.
func isText(p []byte) bool {
	for _, c := range p {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' || c == 0x7f {
			return false
		}
	}
	return true
}
