package http1

import (
	"bytes"
	"strings"
)

// field checks one field line of a head or a trailer section.
func (v *Validator) field(line []byte, trailer bool) {
	if v.nfields++; v.nfields > MaxFields {
		if v.nfields == MaxFields+1 {
			v.report(HeadTooLarge, v.lineOff)
		}
		return
	}
	if line[0] == ' ' || line[0] == '\t' {
		v.fold(line, trailer)
		return
	}
	name, raw, ok := v.fieldName(line)
	value := bytes.Trim(raw, " \t")
	if hasControl(value) {
		v.report(ControlInValue, v.lineOff)
	}
	if !ok || v.failed() {
		return
	}
	v.captureField(string(name), string(value), trailer)
	switch {
	case !trailer:
		v.framing(name, raw, value)
	case forbiddenTrailer(string(name)):
		v.report(ForbiddenTrailer, v.lineOff)
	}
}

// fold handles a continued field line, which always is an anomaly.
func (v *Validator) fold(line []byte, trailer bool) {
	v.report(ObsFold, v.lineOff)
	if v.capture != nil && len(v.capture.Fields) > 0 && !trailer {
		f := &v.capture.Fields[len(v.capture.Fields)-1]
		f.Value += " " + string(bytes.Trim(line, " \t"))
	}
}

// fieldName splits a field line at the colon; ok is false without one.
func (v *Validator) fieldName(line []byte) (name, raw []byte, ok bool) {
	name, raw, ok = bytes.Cut(line, []byte(":"))
	trimmed := bytes.TrimRight(name, " \t")
	switch {
	case !ok:
		v.report(BadFieldName, v.lineOff)
		return nil, nil, false
	case len(trimmed) < len(name) && isToken(trimmed):
		v.report(SpaceBeforeColon, v.lineOff)
		name = trimmed
	case !isToken(name):
		v.report(BadFieldName, v.lineOff)
	}
	return name, raw, true
}

func (v *Validator) captureField(name, value string, trailer bool) {
	if v.capture == nil {
		return
	}
	f := Field{Name: name, Value: value}
	if trailer {
		v.capture.Trailers = append(v.capture.Trailers, f)
	} else {
		v.capture.Fields = append(v.capture.Fields, f)
	}
}

// framing looks at the fields that decide where a message ends and goes.
func (v *Validator) framing(name, raw, value []byte) {
	switch strings.ToLower(string(name)) {
	case "content-length":
		v.contentLength(value)
	case "transfer-encoding":
		v.transferEncoding(raw, value)
	case "host":
		if v.m.hosts++; v.response {
			return
		}
		if v.m.hosts > 1 {
			v.report(DuplicateHost, v.lineOff)
		} else if !validHost(string(value)) {
			v.report(BadHost, v.lineOff)
		}
	case "trailer":
		for elem := range strings.SplitSeq(string(value), ",") {
			if forbiddenTrailer(strings.Trim(elem, " \t")) {
				v.report(ForbiddenTrailer, v.lineOff)
			}
		}
	}
}

func (v *Validator) transferEncoding(raw, value []byte) {
	v.m.encodings++
	chunked := bytes.EqualFold(value, []byte("chunked"))
	v.m.chunked = v.m.chunked || chunked
	switch {
	case !chunked, v.m.encodings > 1, bytes.ContainsRune(raw, '\t'):
		v.report(BadTransferEncoding, v.lineOff)
	case v.m.minor == 0:
		v.report(TransferEncodingHTTP10, v.lineOff)
	case v.m.lengths > 0:
		v.report(LengthAndEncoding, v.lineOff)
	}
}

func (v *Validator) contentLength(value []byte) {
	n, ok := parseLength(value)
	if v.m.lengths++; v.m.lengths == 1 {
		v.m.length = n
	}
	switch {
	case !ok:
		v.report(BadContentLength, v.lineOff)
	case v.m.lengths > 1:
		v.report(DuplicateContentLength, v.lineOff)
	case v.m.encodings > 0:
		v.report(LengthAndEncoding, v.lineOff)
	}
}

// endHead decides how the body is framed (RFC 9112 section 6.3).
func (v *Validator) endHead() {
	v.headLen, v.nfields = 0, 0
	if v.response {
		v.endResponseHead()
		return
	}
	if v.m.hosts == 0 && v.m.minor == 1 {
		v.report(MissingHost, v.off)
		if v.failed() {
			return
		}
	}
	switch {
	case v.m.chunked:
		v.st = stChunkLine
	case v.m.length > 0:
		v.st, v.left = stBody, v.m.length
	default:
		v.endMessage()
	}
}

func (v *Validator) endResponseHead() {
	status := v.m.status
	interim := status/100 == 1
	if v.m.encodings > 0 && (interim || status == 204) || v.m.length > 0 && (interim || status == 204) {
		v.report(BodyWithoutBodyResponse, v.off)
	}
	switch {
	case v.failed():
	case status == 101:
		v.Detach()
	case interim && v.capture == nil:
		v.st = stStart
	case interim:
		v.endMessage()
	default:
		v.finalResponse(status)
	}
}

// finalResponse decides how the body of a final response is framed.
func (v *Validator) finalResponse(status int) {
	method, ok := v.requestMethod()
	if !ok {
		v.report(UnsolicitedResponse, v.off)
	}
	switch {
	case v.failed():
	case method == "CONNECT" && status/100 == 2:
		v.complete++
		v.Detach()
	case method == "HEAD", status == 204, status == 304:
		v.endMessage()
	case v.m.chunked:
		v.st = stChunkLine
	case v.m.lengths == 0:
		v.st = stUntilClose
	case v.m.length == 0:
		v.endMessage()
	default:
		v.st, v.left = stBody, v.m.length
	}
}

func (v *Validator) requestMethod() (string, bool) {
	if v.nextMethod == nil {
		return "GET", true
	}
	return v.nextMethod()
}
