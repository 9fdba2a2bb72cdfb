package websocket

import (
	"errors"
	"net/http"
	"strings"

	"weir/internal/wire/ws"
)

// extensionsHeader is the field in which extensions are negotiated (RFC 6455 section 11.3.2).
const extensionsHeader = "Sec-Websocket-Extensions"

// Prepare takes out of an upgrade request, before it goes upstream, every extension that is not understood here: only
// permessage-deflate with parameters of RFC 7692 stays. A field that does not parse is taken out as a whole.
func Prepare(h http.Header) {
	values := h[extensionsHeader]
	if len(values) == 0 {
		return
	}
	delete(h, extensionsHeader)
	offers, err := ws.ParseExtensions(values)
	if err != nil {
		return
	}
	var kept []string
	for _, e := range offers {
		if _, err := ws.ParseDeflate(e, false); err == nil {
			kept = append(kept, extensionText(e))
		}
	}
	if len(kept) > 0 {
		h[extensionsHeader] = []string{strings.Join(kept, ", ")}
	}
}

func extensionText(e ws.Extension) string {
	var b strings.Builder
	b.WriteString(e.Name)
	for _, p := range e.Params {
		b.WriteString("; " + p.Name)
		if p.HasValue {
			b.WriteString("=" + p.Value)
		}
	}
	return b.String()
}

// agreed is what the two sides agreed on.
type agreed struct {
	deflate bool
	params  ws.Deflate
}

var errExtension = errors.New("the server chose an extension that was not offered")

// agree reads the answer of the server; offered is nil when the offer is not known.
func agree(answer, offered []string) (agreed, error) {
	chosen, err := ws.ParseExtensions(answer)
	if err != nil {
		return agreed{}, err
	}
	if len(chosen) == 0 {
		return agreed{}, nil
	}
	d, err := ws.ParseDeflate(chosen[0], true)
	if err != nil || len(chosen) > 1 {
		return agreed{}, errExtension
	}
	if offered == nil {
		return agreed{true, d}, nil
	}
	offers, err := ws.ParseExtensions(offered)
	if err != nil {
		return agreed{}, err
	}
	for _, o := range offers {
		if offer, err := ws.ParseDeflate(o, false); err == nil && d.Answers(offer) {
			return agreed{true, d}, nil
		}
	}
	return agreed{}, errExtension
}
