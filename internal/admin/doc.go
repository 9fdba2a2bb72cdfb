// Package admin is the way operators and their machines look into a running
// weir and steer it. Two doors, on purpose apart:
//
//   - [Server], over TCP, is read-only: /healthz, /readyz and /metrics. A web
//     page in a browser can reach it, so Host, Origin and Sec-Fetch-Site are
//     checked (server.go, guard.go), and off loopback it asks for a token.
//   - [Control], over a Unix socket of mode 0600, changes state: reload and
//     list updates. No browser reaches it, and the kernel says who calls
//     (control.go, socket.go).
//
// [Client] speaks to the control socket, [Probe] and [ProbeSocket] ask for
// health. Nothing here knows the config or judges traffic: all it shows and
// does comes in as functions.
package admin
