package event

import "github.com/google/uuid"

// NewID returns a new event id: a UUIDv7 in its 36-octet text form (RFC 9562 section 5.7), so that ids sort by time. Its random
// part comes from crypto/rand, whose failure ends the program (Go 1.24 and later): there is no error to return.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }
