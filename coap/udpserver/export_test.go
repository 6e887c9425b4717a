package udpserver

import "net/netip"

// Take hands a datagram to the server as if it had come from the socket.
func (s *Server) Take(raw []byte, from netip.AddrPort) {
	s.received.Add(1)
	s.take(raw, from)
}
