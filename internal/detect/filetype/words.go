package filetype

import (
	"bytes"
	"encoding/binary"
)

// group is a set of words, in lower case and of four octets or more, that count as one.
type group []string

// groups are numbered by their place: the masks below know them.
var groups = [...]group{
	// PowerShell: 0 to 13.
	{"new-object"},
	{"invoke-expression", "iex(", "iex (", "|iex", "| iex"},
	{".downloadstring(", ".downloadfile(", ".downloaddata("},
	{"frombase64string("},
	{"net.webclient"},
	{"invoke-webrequest", "invoke-restmethod"},
	{"[system.", "[reflection.assembly]", "[runtime.interopservices", "[convert]::"},
	{"$env:"},
	{"-executionpolicy", "-encodedcommand", "-windowstyle hidden"},
	{"start-process", "start-job"},
	{"$erroractionpreference", "set-strictmode", "[cmdletbinding"},
	{"add-type", "virtualalloc", "getdelegateforfunctionpointer"},
	{"write-host", "write-output"},
	{"get-wmiobject", "get-ciminstance", "set-itemproperty"},
	// Windows Script Host, 14 to 22: the objects that VBScript and JScript reach the system with.
	{"createobject(", "activexobject("},
	{"wscript."},
	{"scripting.filesystemobject"},
	{"msxml2.", "winhttp.winhttprequest"},
	{"adodb.stream"},
	{"shell.application"},
	{"on error resume next"},
	{"winmgmts:"},
	{"executeglobal"},
	// Markup, 23 to 25.
	{"<hta:application"},
	{"<scriptlet"},
	{"<registration", "<script ", "<script>"},
}

// The groups that belong together.
const (
	powerShellGroups = 1<<14 - 1
	scriptHostGroups = 1<<23 - 1<<14
	applicationGroup = 1 << 23
	scriptletGroups  = 1<<24 | 1<<25
)

// index finds all groups in one pass: the first four octets of a word choose its bucket.
type index struct {
	bucket [1 << indexBits]uint8
	words  [][]entry // bucket 0 is empty
}

type entry struct {
	word  string
	group uint32 // one bit
}

// indexBits: 4096 buckets for some fifty words, so that text rarely meets one by chance.
const indexBits = 12

// lexicon is the index of groups; it never changes.
var lexicon = newIndex(groups[:])

func newIndex(groups []group) *index {
	x := &index{words: [][]entry{nil}}
	for i, g := range groups {
		for _, w := range g {
			h := indexHash([]byte(w))
			if x.bucket[h] == 0 {
				x.bucket[h] = uint8(len(x.words))
				x.words = append(x.words, nil)
			}
			x.words[x.bucket[h]] = append(x.words[x.bucket[h]], entry{w, 1 << i})
		}
	}
	return x
}

func indexHash(p []byte) uint32 {
	const multiply = 0x9E3779B1 // 2^32 divided by the golden ratio: Fibonacci hashing
	return binary.LittleEndian.Uint32(p) * multiply >> (32 - indexBits)
}

// find returns the groups with a word in text, which is in lower case.
func (x *index) find(text []byte) (found uint32) {
	for ; len(text) >= 4; text = text[1:] {
		b := x.bucket[indexHash(text)]
		if b == 0 {
			continue
		}
		for _, e := range x.words[b] {
			if found&e.group == 0 && bytes.HasPrefix(text, []byte(e.word)) {
				found |= e.group
			}
		}
	}
	return found
}
