package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxLine bounds a line of targets, in octets: a URL of 64 KiB is none that anybody sends.
const maxLine = 64 << 10

var errLongLine = errors.New("longer than 64 KiB")

// eachLine calls one for each line that is neither empty nor a comment, without the blanks around it, and long with the beginning
// of one that exceeds maxLine. where says for people where a line stands. An error of either ends it.
func eachLine(r io.Reader, source string, one, long func(where, line string) error) error {
	in := bufio.NewReaderSize(r, maxLine)
	for n := 1; ; n++ {
		text, cut, err := in.ReadLine()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", source, err)
		}
		line, where := strings.TrimSpace(string(text)), fmt.Sprintf("%s line %d: ", source, n)
		for more := cut; more; { // the rest of a line that is none of ours
			if _, more, err = in.ReadLine(); err != nil {
				more = false
			}
		}
		switch {
		case cut:
			err = long(where, line[:min(len(line), 64)])
		case line == "" || line[0] == '#':
			continue
		default:
			err = one(where, line)
		}
		if err != nil {
			return err
		}
	}
}
