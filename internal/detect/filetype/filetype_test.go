package filetype_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"

	"weir/internal/detect/filetype"
)

var little, big binary.ByteOrder = binary.LittleEndian, binary.BigEndian

func samples() map[string]struct {
	data []byte
	want filetype.Kind
} {
	type sample = struct {
		data []byte
		want filetype.Kind
	}
	text := func(s string, k filetype.Kind) sample { return sample{[]byte(s), k} }
	broken := samplePE(128)
	broken[128+4] = 0x99
	return map[string]sample{
		"empty":                         {nil, filetype.None},
		"PE":                            {samplePE(128), filetype.PE},
		"PE, header overlapping MZ":     {append(samplePE(128)[:60], append([]byte{128, 0, 0, 0}, samplePE(128)[64:]...)...), filetype.PE},
		"PE across the end of the head": {samplePE(filetype.HeadSize - 10), filetype.PE},
		"PE behind the head":            {samplePE(filetype.HeadSize), filetype.PE},
		"PE far behind the head":        {samplePE(100_000), filetype.PE},
		"PE, cut before the header":     {samplePE(128)[:130], filetype.None},
		"PE of no known machine":        {broken, filetype.None},
		"DOS stub without PE":           {sampleDOS(), filetype.DOS},
		"text that begins with MZ":      text("MZ "+strings.Repeat("is how the text begins. ", 99), filetype.None),
		"ELF little":                    {sampleELF(little, 3, 62), filetype.ELF},
		"ELF big":                       {sampleELF(big, 2, 8), filetype.ELF},
		"ELF with nonsense class":       {append([]byte("\x7fELF\x77\x77\x77"), sampleELF(little, 2, 62)[7:]...), filetype.ELF},
		"ELF of no type":                {sampleELF(little, 9, 62), filetype.None},
		"ELF, magic only":               text("\x7fELF", filetype.None),
		"Mach-O little":                 {sampleMachO(little), filetype.MachO},
		"Mach-O big":                    {sampleMachO(big), filetype.MachO},
		"Mach-O universal":              {sampleFat(2), filetype.MachO},
		"Java 1.1 class":                {sampleJava(45), filetype.None},
		"Java 21 class":                 {sampleJava(65), filetype.None},
		"DEX":                           {sampleDEX(), filetype.DEX},
		"DEX without version":           text("dex\nabc\x00"+strings.Repeat("x", 100), filetype.None),
		"shortcut":                      {sampleShortcut(), filetype.Shortcut},
		"MSI, as any compound file":     {sampleCompound(0, installerClass), filetype.Compound},
		"Office document":               {sampleCompound(0, ""), filetype.Compound},
		"shell script":                  text("#!/bin/sh\nexit 0\n", filetype.Shebang),
		"shell script, no newline":      text("#!/bin/sh", filetype.Shebang),
		"versioned interpreter":         text("#! /usr/local/bin/python3.13 -E\nprint()\n", filetype.Shebang),
		"env":                           text("#!/usr/bin/env -S A=b node --flag\r\n1\n", filetype.Shebang),
		"env of nothing":                text("#!/usr/bin/env -S\n", filetype.None),
		"Rust attribute":                text("#![allow(unused)]\nfn main() {}\n", filetype.None),
		"unknown interpreter":           text("#!/opt/thing/frobnicate\n", filetype.None),
		"relative interpreter":          text("#!sh\n", filetype.None),
		"heading":                       text("#!important heading\n", filetype.None),
		"first line without end":        text("#!/bin/sh "+strings.Repeat("x", 5000), filetype.Shebang),
		"batch":                         text("@echo off\r\ndel *\r\n", filetype.Batch),
		"batch, marked and indented":    text("\xef\xbb\xbf\r\n @ECHO OFF\r\n", filetype.Batch),
		"batch in UTF-16":               text("\xff\xfe"+wide("@echo off\r\n"), filetype.Batch),
		"e-mail about echo":             text("@echo offered a seat", filetype.None),
		"PowerShell":                    text(powerShell, filetype.PowerShell),
		"PowerShell in UTF-16":          text(wide(powerShell), filetype.PowerShell),
		"PowerShell with a mark":        text("\xff\xfe"+wide(powerShell), filetype.PowerShell),
		"one word of PowerShell":        text("use New-Object for that", filetype.None),
		"page about PowerShell":         text("<p>"+powerShell, filetype.None),
		"PowerShell in binary":          text("\x00\x01"+powerShell, filetype.None),
		"VBScript":                      text("On Error Resume Next\r\nSet s = CreateObject(\"WScript.Shell\")\r\n", filetype.WindowsScript),
		"JScript":                       text("var s = new ActiveXObject('WScript.Shell'); s.Run('x');", filetype.WindowsScript),
		"HTML application":              text("<html><head><HTA:APPLICATION id=a /></head></html>", filetype.HTA),
		"page about HTA":                text("<html><p>use the &lt;hta:application&gt; tag", filetype.None),
		"scriptlet":                     text("<?XML version=\"1.0\"?><scriptlet><registration progid=\"x\"><script language=\"JScript\">", filetype.Scriptlet),
		"plain page":                    text("<!doctype html><script>1</script>", filetype.None),
		"PNG":                           text("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR", filetype.None),
		"ZIP":                           text("PK\x03\x04\x14\x00", filetype.None),
	}
}

// sniff writes data in parts and says where the answer came.
func sniff(data []byte, want filetype.Kinds, size func() int) (k filetype.Kind, at int) {
	s := filetype.NewSniffer(want)
	for at < len(data) {
		n := min(len(data)-at, max(1, size()))
		got := s.Write(data[at : at+n])
		at += n
		if got != filetype.None {
			if k != filetype.None {
				panic("two answers")
			}
			k = got
		}
	}
	if got := s.End(); got != filetype.None {
		if k != filetype.None {
			panic("two answers")
		}
		k = got
	}
	return k, at
}

func TestIdentifiesHoweverCut(t *testing.T) {
	for name, c := range samples() {
		t.Run(name, func(t *testing.T) {
			if got, _ := sniff(c.data, filetype.All, func() int { return len(c.data) }); got != c.want {
				t.Fatalf("in one: %v, want %v", got, c.want)
			}
			if got, _ := sniff(c.data, filetype.All, func() int { return 1 }); got != c.want {
				t.Fatalf("octet by octet: %v, want %v", got, c.want)
			}
			for cut := range min(len(c.data), 2*filetype.HeadSize) {
				first := true
				got, _ := sniff(c.data, filetype.All, func() int {
					if first {
						first = false
						return cut
					}
					return len(c.data)
				})
				if got != c.want {
					t.Fatalf("cut at %d: %v, want %v", cut, got, c.want)
				}
			}
			if c.want == filetype.None {
				return
			}
			if got, _ := sniff(c.data, filetype.All&^filetype.Of(c.want), func() int { return 1000 }); got == c.want {
				t.Fatal("answers a kind that was not wanted")
			}
		})
	}
}

func TestInstallerBehindTheHead(t *testing.T) {
	want := filetype.All.Without(filetype.Compound)
	for name, c := range map[string]struct {
		directory uint32
		class     string
		want      filetype.Kind
	}{
		"package":            {50, installerClass, filetype.MSI},
		"patch":              {50, "\x86" + installerClass[1:], filetype.MSI},
		"across the head":    {1, installerClass, filetype.MSI},
		"document":           {50, "", filetype.None},
		"in the first octet": {0, installerClass, filetype.MSI},
	} {
		t.Run(name, func(t *testing.T) {
			data := sampleCompound(c.directory, c.class)
			for size := 1; size <= len(data); size = size*3 + 1 {
				if got, _ := sniff(data, want, func() int { return size }); got != c.want {
					t.Fatalf("parts of %d: %v, want %v", size, got, c.want)
				}
			}
		})
	}
}

func TestAnswersEarly(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		most int
	}{
		"PE":    {samplePE(128), 256},
		"ELF":   {sampleELF(little, 2, 62), 64},
		"shell": {[]byte("#!/bin/sh\n"), 64},
	} {
		t.Run(name, func(t *testing.T) {
			s := filetype.NewSniffer(filetype.All)
			for i, b := range append(c.data, make([]byte, 256)...) {
				if s.Write([]byte{b}) == filetype.None {
					continue
				}
				if i+1 > c.most || !s.Done() {
					t.Fatalf("answer after %d octets, want %d at most", i+1, c.most)
				}
				return
			}
			t.Fatal("no answer")
		})
	}
}

func TestKindsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for k := filetype.None; k <= filetype.Scriptlet; k++ {
		if seen[k.String()] || k.String() == "" || k.String() == "invalid" {
			t.Errorf("kind %d: %q", k, k.String())
		}
		seen[k.String()] = true
		if k != filetype.None && !filetype.All.Has(k) {
			t.Errorf("%v is not in All", k)
		}
	}
}

// FuzzSniffer: the answer for one write is the answer for many, and Identify on the whole agrees wherever all is in the head.
func FuzzSniffer(f *testing.F) {
	for _, c := range samples() {
		if len(c.data) < 4096 {
			f.Add(c.data, uint64(len(c.data)), uint16(filetype.All))
		}
	}
	f.Add(sampleCompound(3, installerClass), uint64(1), uint16(filetype.All.Without(filetype.Compound)))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64, mask uint16) {
		want := filetype.Kinds(mask) & filetype.All
		whole, _ := sniff(data, want, func() int { return len(data) })
		random := rand.New(rand.NewPCG(seed, 1))
		for _, most := range []int{1, 9, 300} {
			if got, _ := sniff(data, want, func() int { return 1 + random.IntN(most) }); got != whole {
				t.Fatalf("parts up to %d: %v, in one %v", most, got, whole)
			}
		}
		if whole != filetype.None && !want.Has(whole) {
			t.Fatalf("%v was not wanted", whole)
		}
		if naive := filetype.Identify(data, true, want); naive != filetype.None && whole == filetype.None {
			t.Fatalf("stream says nothing, whole file is %v", naive)
		}
	})
}

func BenchmarkSniffer(b *testing.B) {
	for name, data := range map[string][]byte{
		"binary": bytes.Repeat([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"), 2048),
		"text":   bytes.Repeat([]byte("body { color: red; } "), 1560),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				s := filetype.NewSniffer(filetype.All)
				s.Write(data)
				s.End()
			}
		})
	}
}
