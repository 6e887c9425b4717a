package proxy

import "net/netip"

// Take hands a datagram to the port as if it had come from the socket.
func (p *Port) Take(raw []byte, from netip.AddrPort) {
	p.received.Add(1)
	p.take(raw, from)
}
