//go:build image

package imagetest

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// eicar is the EICAR test file, split so that no scanner takes this source for it.
const eicar = `X5O!P%@AP[4\PZX54(P^)7CC)7}$` + `EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*`

// runOrigin serves HTTP on 8080 and DNS on 5300, says so on stdout, and stays until it is killed.
func runOrigin() {
	if err := serveOrigin(); err != nil {
		fmt.Fprintln(os.Stderr, "origin:", err)
		os.Exit(1)
	}
}

func serveOrigin() error {
	web, err := net.Listen("tcp", "127.0.0.1:8080")
	if err != nil {
		return fmt.Errorf("listen for http: %w", err)
	}
	udp, err := net.ListenPacket("udp", "127.0.0.1:5300")
	if err != nil {
		return fmt.Errorf("listen for dns: %w", err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:5300")
	if err != nil {
		return fmt.Errorf("listen for dns over tcp: %w", err)
	}
	go serveUDP(udp)
	go serveTCP(tcp)
	if err := json.NewEncoder(os.Stdout).Encode("up"); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/hello", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello from the origin") })
	mux.HandleFunc("/eicar", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, eicar) })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	return server.Serve(web)
}

func serveUDP(conn net.PacketConn) {
	buf := make([]byte, 4096)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		if reply := answer(buf[:n]); reply != nil {
			_, _ = conn.WriteTo(reply, from)
		}
	}
}

func serveTCP(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go serveStream(conn)
	}
}

func serveStream(conn net.Conn) {
	defer conn.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		reply := answer(query)
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
			return
		}
	}
}

// answer says 127.0.0.1 to every A question and "no data" to every other one (RFC 1035 section 4.1).
func answer(query []byte) []byte {
	end := 12
	for end < len(query) && query[end] != 0 {
		end += 1 + int(query[end])
	}
	end += 5 // root label, type, class
	if end > len(query) {
		return nil
	}
	reply := append([]byte(nil), query[:end]...)
	reply[2], reply[3] = 0x81, 0x80                       // response, recursion desired and available
	copy(reply[4:12], []byte{0, 1, 0, 0, 0, 0, 0, 0})     // one question
	if binary.BigEndian.Uint16(query[end-4:end-2]) != 1 { // A
		return reply
	}
	reply[7] = 1
	return append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1)
}
