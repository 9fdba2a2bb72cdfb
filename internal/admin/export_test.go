package admin

import (
	"net"
	"net/netip"
)

// HostOK is the Host check, for its fuzz test.
func HostOK(hosts []string, host string, local netip.Addr) (bool, error) {
	g, err := newGuard(hosts, "")
	if err != nil {
		return false, err
	}
	return g.hostOK(host, local), nil
}

// AdmitUID is the rule about the user of a peer.
func AdmitUID(uid, own uint32) error { return admitUID(uid, own) }

// RefuseAll makes the control socket see every peer as a stranger.
func RefuseAll(c *Control, refusal error) {
	c.ln.allow = func(*net.UnixConn) error { return refusal }
}
