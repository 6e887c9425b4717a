package coap

import (
	"context"
)

// ProtocolID names the libp2p protocol whose streams carry CoAP in the framing of RFC 8323, section 3.2.
const ProtocolID = "/edgeistry/coap/1.0.0"

// Message sizes in bytes: a whole CoAP message, header included.
const (
	MaxDatagram = 1152    // one UDP datagram (RFC 7252 section 4.6)
	MaxSerial   = 200     // one message on a serial line: what the ATmega328P takes
	MaxStream   = 1 << 17 // one message on a mesh stream
	maxToken    = 8
)

// Doer carries one request to whoever answers and gives the answer: a link, a mesh stream, or a proxy.
// It neither changes req nor keeps it. An answer of any code is no error.
type Doer interface {
	Do(ctx context.Context, req *Message) (*Message, error)
}

// DoerFunc lets a func be a Doer.
type DoerFunc func(ctx context.Context, req *Message) (*Message, error)

// Do calls f.
func (f DoerFunc) Do(ctx context.Context, req *Message) (*Message, error) {
	return f(ctx, req)
}

// Source is where a request came from. Limits are counted by Peer.
type Source struct {
	Peer     string // libp2p peer ID; of datagrams the IP address; any text if Local
	Local    bool   // this process: the HTTP API, the log mirror
	Datagram bool   // came to the node's CoAP UDP port
}

// Handler answers requests. It must not change req, and must return soon after ctx ends. A nil answer means that
// there is none to send.
type Handler interface {
	ServeCoAP(ctx context.Context, from Source, req *Message) *Message
}

// HandlerFunc lets a func be a Handler.
type HandlerFunc func(ctx context.Context, from Source, req *Message) *Message

// ServeCoAP calls f.
func (f HandlerFunc) ServeCoAP(ctx context.Context, from Source, req *Message) *Message {
	return f(ctx, from, req)
}
