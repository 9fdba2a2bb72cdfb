// Package source keeps lists current: it reads them from files and over HTTPS, keeps the last good copy of each on disk, and
// compiles all of them into a new [set.Set] when one changed. A list that cannot be had, is broken, or has suddenly become empty
// keeps its last good copy; the error stands in its [Status]. Nothing here ever delays a start: [Manager.Load] reads the disk
// only, [Manager.Run] does the network.
package source

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"weir/blocklists/format"
	"weir/blocklists/set"
)

// Source says where one list comes from: exactly one of Path, Dir, URL, Transfer and Text is set.
type Source struct {
	// List is copied into the Set; Name must be unique. Source, Updated and Hash are filled in.
	List set.List
	// Path is a file. It is read at each Load, and every Interval when that is set.
	Path string
	// Dir is a directory: each regular file in it whose name does not begin with a dot is a list of its own, "NAME/FILE", with
	// all settings of this one. Which files there are is looked at at each Load, and every Interval when that is set.
	Dir string
	// URL is https, or http on a loopback address.
	URL string
	// Transfer asks name servers for the list as a zone.
	Transfer Transfer
	// Text is the list itself, as for the built-in ones.
	Text string
	// Format is the grammar; zero: detected, RPZ for a Transfer.
	Format format.Format
	// Column names the column of a CSV list or the key of a JSON list. Empty: the first with a usual name.
	Column string
	// Interval is the time between refreshes, changed at random by a tenth so that a fleet does not call at once. Zero: a day
	// for URLs, what the SOA record says for a Transfer (an hour before the first), never for files; at least a minute.
	Interval time.Duration
	// Timeout bounds one download. Zero: two minutes.
	Timeout time.Duration
	// MaxBytes bounds the text, after decompression. Zero: [format.DefaultBytes].
	MaxBytes int64
	// Minisign is the public key that must have signed the text of a URL, as minisign prints it ("RW..."). Empty: any text.
	Minisign string
	// SignatureURL is where the signature is. Empty: behind the path of URL, with ".minisig".
	SignatureURL string
	// SHA256 pins the text, in hex. Empty: any.
	SHA256 string
	// MayBlock names the canaries that this list may block.
	MayBlock Allowance
	// MayEnd says that rules, or the action of its class, may block what the list holds, whatever the list does on its own: then
	// it may hold no canaries either.
	MayEnd bool
	// MaxChange is how many times more or fewer entries a new text may have than the one in force; beyond, it is held for review
	// ([Manager.Accept]). Zero: two. [AnyChange]: any. It counts from a hundred entries in force on. So is a text that is detected
	// to be of another format: from the network always, of a file from a hundred entries on and unless AnyChange is given.
	MaxChange float64
	// Expires is the age, since the text was last seen to be current, at which it no longer counts. The age of a local file is
	// that of its last change. Zero: never; at least a minute.
	Expires time.Duration

	folder string // the list of the directory that this file lies in; "" for all others
}

// Config is what a [Manager] needs.
type Config struct {
	// Dir holds the last good copies; it is made when needed, mode 0700. Empty: none are kept, and URLs have no effect.
	Dir string
	// Sources in the order of their lists in the Set.
	Sources []Source
	// Canaries are what no list may block, beside private space and the hosts that the lists come from.
	Canaries []Canary
	// ReadOnly never writes to Dir nor calls the network: for commands that look at what a running weir has.
	ReadOnly bool
	// Client makes the requests; nil: one of our own, without proxy. Its redirect policy is replaced by ours.
	Client *http.Client
	// Logger is for operators; nil: silent.
	Logger *slog.Logger
}

// Limits and defaults.
const (
	defaultInterval = 24 * time.Hour  // what most lists ask for in their header
	minInterval     = time.Minute     // less would be an attack on the publisher
	defaultTimeout  = 2 * time.Minute // 100 MB at 1 MB/s
	firstRetry      = time.Minute     // doubled up to the interval
	maxRedirects    = 5               // release pages and CDNs need two or three
	maxParallel     = 4               // downloads at once
	settle          = 2 * time.Second // wait this long for other downloads before compiling
	maxDiagnostics  = 20              // kept per list
	maxFiles        = 1000            // in one directory
	defaultChange   = 2               // published lists change by a tenth from day to day
	leastCompared   = 100             // small lists rightly double overnight
	largeGrowth     = 10_000          // but none of any size becomes this large without notice
)

// AnyChange as a Source's MaxChange lets its text grow and shrink at will.
const AnyChange = 0.5

// Errors of this package; each is wrapped with the list and the cause.
var (
	ErrConfig   = errors.New("invalid list source")
	ErrNoList   = errors.New("no such list")
	ErrEmptied  = errors.New("list has no entries any more")
	ErrDigest   = errors.New("digest is not the pinned one")
	ErrStatus   = errors.New("unexpected answer")
	ErrRedirect = errors.New("redirect refused")
	ErrReadOnly = errors.New("lists are read-only here")
	ErrNoCopy   = errors.New("not loaded yet")
	ErrNotFile  = errors.New("not a regular file")
	ErrHeld     = errors.New("held for review")
	ErrNotHeld  = errors.New("nothing is held for review")
	ErrUseless  = errors.New("no line is an entry")
	ErrEmpty    = errors.New("the text has no entry")
	ErrGarbage  = errors.New("most of it cannot be read: it is no list, or one of another format")
	ErrFiles    = errors.New("too many files")
	errExpired  = errors.New("expired")
)

// options says how the text is parsed.
func (s Source) options() format.Options {
	return format.Options{Format: s.Format, Column: s.Column, Limits: format.Limits{Bytes: s.MaxBytes}}
}

// location is the identity of the source beside its name: a copy of another location is not reused.
func (s Source) location() string {
	switch {
	case s.URL != "":
		return s.URL
	case s.Path != "":
		return s.Path
	case s.Transfer.given():
		return s.Transfer.location()
	case s.Dir != "":
		return s.Dir
	}
	return "built-in"
}

// shown is location without what may be secret: user, password and query.
func (s Source) shown() string {
	if s.URL == "" {
		return s.location()
	}
	u, err := url.Parse(s.URL)
	if err != nil { // cannot be: check has parsed it
		return "invalid URL"
	}
	u.User, u.Fragment = nil, ""
	if u.RawQuery != "" {
		u.RawQuery = "redacted"
	}
	segments := strings.Split(u.EscapedPath(), "/")
	for i, segment := range segments {
		if token(segment) {
			segments[i] = "redacted"
		}
	}
	u.RawPath = strings.Join(segments, "/")
	if u.Path, err = url.PathUnescape(u.RawPath); err != nil { // cannot be: it was escaped
		return "invalid URL"
	}
	return u.String()
}

// minToken is the least length of a key that publishers put into the paths of feeds: 20 octets are 80 bits in hexadecimal.
const minToken = 20

// token says whether a segment of a path looks like the key of a subscriber: long, of letters and digits with some of both, and
// nothing between words.
func token(segment string) bool {
	return len(segment) >= minToken && strings.ContainsAny(segment, "0123456789") &&
		strings.Trim(segment, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == ""
}

// remote says whether the list comes over the network.
func (s Source) remote() bool { return s.URL != "" || s.Transfer.given() }

func (s Source) withDefaults() Source {
	if s.Format == format.Auto && s.Transfer.given() {
		s.Format = format.RPZ
	}
	if s.Interval == 0 && s.URL != "" {
		s.Interval = defaultInterval
	}
	if s.MaxChange == 0 {
		s.MaxChange = defaultChange
	}
	if s.Timeout == 0 {
		s.Timeout = defaultTimeout
	}
	if s.MaxBytes == 0 {
		s.MaxBytes = format.DefaultBytes
	}
	s.List.Source = s.shown()
	return s
}

// check refuses what could never work or must not.
func (s Source) check() error {
	given := 0
	for _, field := range [...]string{s.Path, s.Dir, s.URL, s.Text} {
		if field != "" {
			given++
		}
	}
	if s.Transfer.given() {
		given++
	}
	switch {
	case s.List.Name == "":
		return fmt.Errorf("%w: a list without name", ErrConfig)
	case given != 1:
		return fmt.Errorf("%w: list %q: want exactly one of path, directory, URL, transfer and text", ErrConfig, s.List.Name)
	case s.List.Action == set.ActionAllow && !s.List.GrantAllow:
		return fmt.Errorf("%w: list %q: %w", ErrConfig, s.List.Name, set.ErrGrant)
	}
	if err := s.checkLimits(); err != nil {
		return err
	}
	if err := s.Transfer.check(); err != nil {
		return fmt.Errorf("%w: list %q: %w", ErrConfig, s.List.Name, err)
	}
	if err := s.checkSignature(); err != nil {
		return err
	}
	return s.checkURL()
}

func (s Source) checkLimits() error {
	if s.Timeout < 0 || s.MaxBytes < 0 || s.Interval < 0 || s.Interval > 0 && s.Interval < minInterval {
		return fmt.Errorf("%w: list %q: a limit below zero or an interval below %v", ErrConfig, s.List.Name, minInterval)
	}
	if _, err := hex.DecodeString(s.SHA256); err != nil || s.SHA256 != "" && len(s.SHA256) != 64 {
		return fmt.Errorf("%w: list %q: sha256 must be 64 hex digits", ErrConfig, s.List.Name)
	}
	return s.checkChange()
}

func (s Source) checkChange() error {
	if s.Expires < 0 || s.Expires > 0 && s.Expires < minInterval || s.MaxChange < 0 {
		return fmt.Errorf("%w: list %q: an age below %v or a negative ratio", ErrConfig, s.List.Name, minInterval)
	}
	if s.Dir != "" && s.SHA256 != "" {
		return fmt.Errorf("%w: list %q: a directory has no digest", ErrConfig, s.List.Name)
	}
	return nil
}

func (s Source) checkURL() error {
	if s.URL == "" {
		return nil
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		return fmt.Errorf("%w: list %q: the URL does not parse", ErrConfig, s.List.Name) // the error would quote its secrets
	}
	if u.Scheme == "https" && u.Hostname() != "" || loopbackHTTP(u) {
		return nil
	}
	return fmt.Errorf("%w: list %q: %s: want https (http only to a loopback address)", ErrConfig, s.List.Name, s.shown())
}

// loopbackHTTP says whether u may go without TLS: nobody stands between.
func loopbackHTTP(u *url.URL) bool {
	if u.Scheme != "http" {
		return false
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return err == nil && addr.Unmap().IsLoopback() || u.Hostname() == "localhost"
}
