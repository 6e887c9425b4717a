package relay

import (
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// Kind is how this node is connected to a peer.
type Kind string

// The kinds of connection, best first.
const (
	Direct  Kind = "direct"
	Relayed Kind = "relayed"
	None    Kind = "none"
)

// ConnState describes the connection to a peer.
type ConnState struct {
	Kind Kind
	Via  peer.ID      // the relay, when relayed
	Addr ma.Multiaddr // where the connection leads; nil when there is none
}

// String returns the text that people read: "direct", "relayed through 12D3Koo...", "none".
func (c ConnState) String() string {
	if c.Kind == Relayed && c.Via != "" {
		return "relayed through " + c.Via.String()
	}
	return string(c.Kind)
}

// Describe reports how a host is connected to a peer at this moment. A direct connection counts
// before a relayed one.
func Describe(h host.Host, p peer.ID) ConnState {
	state := ConnState{Kind: None}
	for _, c := range h.Network().ConnsToPeer(p) {
		if c.IsClosed() {
			continue
		}
		addr := c.RemoteMultiaddr()
		via, relayed := through(addr)
		if !relayed {
			return ConnState{Kind: Direct, Addr: addr}
		}
		state = ConnState{Kind: Relayed, Via: via, Addr: addr}
	}
	return state
}

// through returns the relay of a circuit address: the peer named last before /p2p-circuit.
func through(addr ma.Multiaddr) (via peer.ID, relayed bool) {
	for _, c := range addr {
		switch c.Protocol().Code {
		case ma.P_CIRCUIT:
			return via, true
		case ma.P_P2P:
			if id, err := peer.Decode(c.Value()); err == nil {
				via = id
			}
		}
	}
	return "", false
}
