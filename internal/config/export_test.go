package config

// WithoutSource returns f as if it had been made in code, without lines.
func WithoutSource(f *File) *File {
	c := *f
	c.src = nil
	for i := range c.Groups {
		c.Groups[i].Line = 0
	}
	for i := range c.Lists {
		c.Lists[i].Line = 0
	}
	for i := range c.Rules {
		c.Rules[i].Line = 0
	}
	return &c
}

// Bounds of [Parse] for tests.
const (
	MaxNodes    = maxNodes
	MaxProblems = maxProblems
)
