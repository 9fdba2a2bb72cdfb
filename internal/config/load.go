package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// MaxSize is the largest config file that is read, in octets.
const MaxSize = 4 << 20

// Load reads and checks the file at path. The error is a [Problems] when the file could be read but is wrong, else that of the
// file system; a file that does not exist is an error.
func Load(path string, known Known) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	file, problems := Parse(path, data, known)
	return file, problems.Err()
}

// Parse decodes and checks a config file; name is what problems call it. What data does not set is as in [Default], so that
// an empty file is Default itself. All problems are reported at once, in the order of the file, and then the File is nil;
// only what keeps the YAML from being read at all is reported alone.
func Parse(name string, data []byte, known Known) (*File, Problems) {
	src := newSource(name)
	file := Default()
	file.src = src
	root, ok := src.tree(data)
	if ok && root != nil {
		d := decoder{source: src}
		d.value("", root, reflect.ValueOf(file).Elem())
	}
	if ok {
		file.check(known)
	}
	if len(src.found) > 0 {
		return nil, src.sorted()
	}
	src.bad = nil // nothing is reported any more, but positions still serve Validate
	return file, nil
}

// Name returns what the file was called when it was read; "" for a File made in code.
func (f *File) Name() string {
	if f.src == nil {
		return ""
	}
	return f.src.name
}

// Validate checks f again, or for the first time when it was made in code; see [Parse] for what it does not repeat.
func (f *File) Validate(known Known) Problems {
	c := *f
	c.src = newSource(f.Name())
	if f.src != nil {
		c.src.values, c.src.keys = f.src.values, f.src.keys
	}
	c.check(known)
	if len(c.src.found) == 0 {
		return nil
	}
	return c.src.sorted()
}

// tree reads one YAML document; the root is nil when there is none.
func (s *source) tree(data []byte) (root *yaml.Node, ok bool) {
	if len(data) > MaxSize {
		s.at(position{}, "", "larger than %d octets: put names into lists", MaxSize)
		return nil, false
	}
	if i := badText(data); i >= 0 {
		s.at(offsetPosition(data, i), "", "not UTF-8 text, or a control character")
		return nil, false
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var first, second yaml.Node
	err := decodeNode(dec, &first)
	if errors.Is(err, io.EOF) {
		return nil, true
	}
	if err == nil && len(first.Content) == 1 {
		root = first.Content[0]
		if err = decodeNode(dec, &second); err == nil {
			s.at(position{second.Line, second.Column}, "", "a second document: one file is one document")
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		message := syntaxMessage(err)
		s.at(syntaxPosition(data, err), "", "not YAML: %s", message)
		return nil, false
	}
	if root == nil || isNull(root) {
		return nil, true
	}
	return root, true
}

// decodeNode turns a panic of the YAML parser into an error: a bad file must not end a program that is asked to reload it.
func decodeNode(dec *yaml.Decoder, n *yaml.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: the parser failed: %v", r)
		}
	}()
	return dec.Decode(n)
}

// badText returns the offset of the first octet that is not text, or -1.
func badText(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size <= 1, r < ' ' && r != '\n' && r != '\r' && r != '\t', r >= 0x7f && r < 0xa0 && r != 0x85:
			return i
		}
		i += size
	}
	return -1
}

// offsetPosition counts lines and characters up to an offset.
func offsetPosition(data []byte, offset int) position {
	before := data[:min(offset, len(data))]
	line := 1 + bytes.Count(before, []byte("\n"))
	return position{line, 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])}
}

// syntaxLine matches the place that the YAML library puts into its messages.
var syntaxLine = regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?`)

func syntaxMessage(err error) string { return syntaxLine.ReplaceAllString(err.Error(), "") }

// maxSearch bounds the size of a file whose syntax error is searched for.
const maxSearch = 512 << 10

// syntaxPosition finds where a syntax error lies. The library names at best a line, and often the wrong one; but its parser
// stops at the first error, so the shortest beginning of the file that fails in the same way ends where the error lies.
func syntaxPosition(data []byte, err error) position {
	if len(data) > maxSearch {
		m := syntaxLine.FindStringSubmatch(err.Error())
		line, convErr := strconv.Atoi(m[1])
		if convErr != nil {
			line = 1
		}
		return position{line, 1}
	}
	want := syntaxMessage(err)
	good, bad := 0, len(data)
	for good+1 < bad {
		middle := int(uint(good+bad) / 2)
		if failsAs(data[:middle], want) {
			bad = middle
		} else {
			good = middle
		}
	}
	text := strings.TrimRight(string(data[:bad]), "\r\n")
	if bad < len(data) || len(text) == 0 {
		return offsetPosition(data, max(bad-1, 0))
	}
	return offsetPosition(data, len(text)-1)
}

func failsAs(data []byte, want string) bool {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for range 2 {
		var n yaml.Node
		if err := decodeNode(dec, &n); err != nil {
			return !errors.Is(err, io.EOF) && syntaxMessage(err) == want
		}
	}
	return false
}
