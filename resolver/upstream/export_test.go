package upstream

// For the fuzz test, which must not open a socket for each input.
var (
	Match = match
	Same  = same
)
