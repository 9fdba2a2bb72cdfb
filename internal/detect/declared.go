package detect

import (
	"slices"
	"strings"

	"weir/internal/detect/filetype"
)

// The kinds that a family of media types never is.
const (
	// never in pictures, sound and the like: everything that is run.
	neverMedia = filetype.All
	// never in markup and data, where words prove nothing: a page may quote a script.
	neverMarkup = filetype.All &^ (1<<filetype.Compound | 1<<filetype.PowerShell | 1<<filetype.WindowsScript)
	// never in JavaScript, where #! begins a command-line tool and old code speaks of ActiveX.
	neverScript = filetype.Native | 1<<filetype.Shortcut | 1<<filetype.MSI | 1<<filetype.Batch | 1<<filetype.HTA
)

// suspects returns what a body of the declared media type (lower case, without parameters) must not be; 0 when the type may be
// an executable, or says nothing.
func suspects(declared string) filetype.Kinds {
	major, minor, _ := strings.Cut(declared, "/")
	switch major {
	case "image", "audio", "video", "font":
		return suspectsOfMedia(major, minor)
	case "text":
		return suspectsOfText(minor)
	case "application":
		return suspectsOfApplication(minor)
	}
	return 0
}

func suspectsOfMedia(major, minor string) filetype.Kinds {
	switch {
	case minor == "svg+xml":
		return neverMarkup
	case minor == "mp2t", minor == "vnd.dlna.mpeg-tts": // what servers call TypeScript (.ts), tools with #! included
		return neverScript
	case minor == "vnd.fpx", minor == "vnd.net-fpx", minor == "x-fpx", minor == "vnd.mix": // FlashPix is a compound file
		return neverMedia.Without(filetype.Compound)
	case major == "font": // Windows bitmap fonts (.fon) are libraries of 16-bit Windows
		return neverMedia.Without(filetype.DOS)
	}
	return neverMedia
}

func suspectsOfText(minor string) filetype.Kinds {
	switch minor {
	case "css":
		return neverMedia
	case "html", "xml", "csv", "tab-separated-values", "calendar", "vcard", "vtt", "event-stream":
		return neverMarkup
	case "javascript", "ecmascript", "jscript", "x-javascript":
		return neverScript
	}
	return 0 // text/plain is what a script may well be
}

func suspectsOfApplication(minor string) filetype.Kinds {
	switch minor {
	case "json", "xml", "xhtml+xml", "jsonp", "x-ndjson", "ndjson", "json-seq", "graphql", "yaml", "x-yaml":
		return neverMarkup
	case "javascript", "ecmascript", "x-javascript":
		return neverScript
	case "pdf", "ogg", "wasm", "font-woff", "font-woff2", "x-font-woff", "x-font-ttf", "x-font-otf", "font-sfnt", "vnd.ms-fontobject",
		"vnd.apple.mpegurl", "x-mpegurl", "dash+xml":
		return neverMedia.Without(filetype.DOS)
	}
	if strings.HasSuffix(minor, "+json") || strings.HasSuffix(minor, "+xml") {
		return neverMarkup
	}
	return 0
}

// mayBeProgram says whether programs are honestly served under a media type: none, unknown octets, a download as such, and the
// types that name them. Some of the names never were registered, but servers use them.
func mayBeProgram(declared string) bool {
	major, minor, _ := strings.Cut(declared, "/")
	switch major {
	case "":
		return true
	case "application", "binary", "vms", "unknown", "x-application":
	default:
		return false
	}
	if strings.HasPrefix(minor, "vnd.android.") {
		return true
	}
	return slices.Contains(programTypes[:], minor)
}

// programTypes are the second halves of the types that mayBeProgram knows.
var programTypes = [...]string{
	// any octets
	"octet-stream", "x-octet-stream", "octetstream", "binary", "x-binary", "unknown", "x-unknown", "download", "x-download",
	"force-download", "x-force-download", "macbinary", "x-macbinary", "x-firmware", "x-www-download",
	// Windows
	"x-msdownload", "vnd.microsoft.portable-executable", "x-dosexec", "x-msdos-program", "x-ms-dos-executable", "x-msdos-windows",
	"msdos-windows", "dos-exe", "x-dos-exe", "exe", "x-exe", "x-winexe", "x-efi", "efi", "x-ms-shortcut", "x-lnk", "x-msi", "msi",
	"x-ms-installer", "x-windows-installer", "x-ole-storage", "x-cfb", "cdfv2",
	// Linux, BSD and macOS
	"x-executable", "x-elf", "elf", "x-sharedlib", "x-pie-executable", "x-object", "x-coredump", "x-mach-binary", "x-mach-o",
	"x-mach-executable", "x-apple-binary",
	// Android
	"x-dex", "dex",
}
