package detect

import (
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
