package http1

// Field is one field line: the name as sent, the value without outer white space.
type Field struct {
	Name, Value string
}

// Message is a request or a response as it stands in a file.
type Message struct {
	Method, Target string // request
	Status         int    // response
	Reason         string // response
	Version        string
	Fields         []Field // in order, duplicates kept; folded lines joined by a space
	Body           []byte  // without chunk framing, content codings not undone
	Trailers       []Field
	Length         int // bytes of the input that the message took
}

// ParseRequest reads one request leniently: it goes on behind every anomaly as
// far as that makes sense and returns all of them (at most 100). Lines may end
// in a bare LF, which is an anomaly. What cannot be framed becomes body. The
// caller bounds len(b).
func ParseRequest(b []byte) (Message, []Anomaly) {
	return parse(b, &Validator{lenient: true})
}

// ParseResponse is ParseRequest for the response to a GET.
func ParseResponse(b []byte) (Message, []Anomaly) {
	return parse(b, &Validator{lenient: true, response: true})
}

func parse(b []byte, v *Validator) (Message, []Anomaly) {
	var m Message
	v.capture = &m
	for int(v.off) < len(b) && v.st != stDetached {
		v.off += int64(v.take(b[v.off:]))
	}
	m.Length = int(v.off)
	v.Close()
	return m, v.found
}
