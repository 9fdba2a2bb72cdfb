package filetype

// Sniffer identifies a stream. Heads are judged at fixed lengths, so that neither the answer nor the place where it is given
// depends on how the stream is cut. Make one with [NewSniffer]; it is not safe for concurrent use.
type Sniffer struct {
	want Kinds
	done bool
	n    int   // octets in head
	pos  int64 // octets seen
	far  far
	got  int // octets in spot
	head [HeadSize]byte
	spot [peSight]byte // the octets at far.at
}

// firstCheck is the first length at which a head is judged; then at each doubling: an MZ header is as long.
const firstCheck = mzHeader

// NewSniffer returns a Sniffer that looks for the kinds of want.
func NewSniffer(want Kinds) Sniffer { return Sniffer{want: want} }

// Reset makes s ready for another stream, as NewSniffer does, without clearing what it need not.
func (s *Sniffer) Reset(want Kinds) {
	s.want, s.done, s.n, s.pos, s.far, s.got = want, false, 0, 0, far{}, 0
}

// Write takes the next octets of the stream. It returns a Kind other than None once, as soon as it is known. It does not
// allocate, but for the words of a first line that begins with #!, and keeps no reference to p.
func (s *Sniffer) Write(p []byte) Kind {
	for len(p) > 0 && !s.done && s.n < HeadSize {
		next := firstCheck
		for next <= s.n {
			next *= 2
		}
		n := copy(s.head[s.n:next], p)
		s.n, s.pos, p = s.n+n, s.pos+int64(n), p[n:]
		if s.n < next {
			return None
		}
		if k := s.answer(Identify(s.head[:s.n], false, s.want)); k != None {
			return k
		}
		if s.n == HeadSize {
			s.point()
		}
	}
	if s.done || len(p) == 0 {
		return None
	}
	return s.look(p)
}

// point decides where to look behind the head.
func (s *Sniffer) point() {
	s.far = beyond(s.head[:], s.want)
	size := int64(s.far.size())
	if s.far.kind == PE && s.far.at >= maxLfanew || s.far.at+size <= HeadSize {
		s.done = true
		return
	}
	if s.far.at < HeadSize { // begins in the head
		s.got = copy(s.spot[:size], s.head[s.far.at:])
	}
}

// look collects the octets at far.at.
func (s *Sniffer) look(p []byte) Kind {
	want := s.far.at + int64(s.got)
	skip := want - s.pos
	s.pos += int64(len(p))
	if skip >= int64(len(p)) {
		return None
	}
	s.got += copy(s.spot[s.got:s.far.size()], p[max(skip, 0):])
	if s.got < s.far.size() {
		return None
	}
	s.done = true
	if s.far.is(s.spot[:s.got]) {
		return s.far.kind
	}
	return None
}

// End says that the stream ended, and returns the kind of a stream that was shorter than a head.
func (s *Sniffer) End() Kind {
	if s.done || s.n == HeadSize {
		return None
	}
	s.done = true
	return Identify(s.head[:s.n], true, s.want)
}

// Done says that the rest of the stream cannot change the answer.
func (s *Sniffer) Done() bool { return s.done }

func (s *Sniffer) answer(k Kind) Kind {
	s.done = k != None
	return k
}

func (f far) size() int {
	switch f.kind {
	case PE:
		return peSight
	case MSI:
		return classSize
	}
	return 0
}
