// Package upstream is stage (5) of the proxy: it resolves the authorised target, has every address admitted, connects to exactly
// that address, verifies TLS, and keeps pools of connections. It never returns a bare error, only an [*Error]. Layer L5.
//
// A pool is keyed by address, name, port and scheme, and the addresses are resolved and admitted anew for every request: a
// connection is never used for another name that shares its address, nor for an address that is not admitted now.
package upstream
