package set

// Extra is how much memory a Builder takes beside the result while it builds: the entries, and what they are sorted by.
func (b *Builder) Extra() uint64 { return b.used + uint64(b.count)*16 }
