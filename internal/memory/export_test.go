package memory

// SIP lets tests compare the hash with its published vectors.
func SIP(key [2]uint64, s string) uint64 { return sip(key, s) }
