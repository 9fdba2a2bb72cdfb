// Package proxy is the HTTP and WebSocket data path. The gate decides everything; the stages here only bring it what they see,
// in this order:
//
//	(1)  listener/     accept within limits; watch HTTP/1 framing before net/http reads it
//	(2)  connect.go    CONNECT authority -> gate -> intercept | splice (splice.go) | block
//	(3)  intercept/    first bytes, TLS under our authority for the admitted name, HTTP/1.1 and HTTP/2 servers
//	(4)  request.go    request head and body (body.go) -> gate
//	(5)  upstream/     resolve, admit addresses, verified TLS, pools; a failure becomes a page
//	(6)  response.go   response head and body -> gate
//	(4)(6) websocket/  for messages; relay.go stands between it and goproxy
//	     blockpage/    the only place where a verdict becomes HTTP or a WebSocket close
//
// goproxy.go is the only importer of elazarl/goproxy: its hooks call the stages. trip.go follows one request through them,
// server.go holds the parts together. Layer L5.
package proxy
