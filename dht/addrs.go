package dht

import (
	"context"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// maxPeerAddrs bounds the addresses that one answer of another node can make us hold for a peer.
const maxPeerAddrs = 16

// usableAddrs filters addresses that other nodes tell us. A mesh lives on private and loopback
// addresses, so those stay, unlike in a public DHT; what nobody can dial goes.
func usableAddrs(addrs []ma.Multiaddr) []ma.Multiaddr {
	kept := make([]ma.Multiaddr, 0, min(len(addrs), maxPeerAddrs))
	for _, a := range addrs {
		if len(kept) == maxPeerAddrs {
			break
		}
		if usableAddr(a) {
			kept = append(kept, a)
		}
	}
	return kept
}

func usableAddr(a ma.Multiaddr) bool {
	if len(a) == 0 || len(a.Bytes()) > MaxAddr || manet.IsIPUnspecified(a) {
		return false
	}
	if ip, err := manet.ToIP(a); err == nil && ip.IsMulticast() {
		return false
	}
	for _, code := range []int{ma.P_TCP, ma.P_UDP} {
		if port, err := a.ValueForProtocol(code); err == nil && port == "0" {
			return false
		}
	}
	return true
}

// anyPath is a host whose streams may go through a relay. The DHT asks for none, and libp2p then
// lets a stream to a relayed peer wait until its deadline: one node behind a NAT would slow every
// lookup. Our relays carry real traffic, so relayed nodes are full members.
type anyPath struct{ host.Host }

const anyPathReason = "edgeistry registry"

func (h anyPath) NewStream(ctx context.Context, p peer.ID, ids ...protocol.ID) (network.Stream, error) {
	return h.Host.NewStream(network.WithAllowLimitedConn(ctx, anyPathReason), p, ids...)
}

func (h anyPath) Connect(ctx context.Context, info peer.AddrInfo) error {
	return h.Host.Connect(network.WithAllowLimitedConn(ctx, anyPathReason), info)
}

// online reports whether there is a connection to a peer, direct or relayed.
func online(h host.Host, p peer.ID) bool {
	switch h.Network().Connectedness(p) {
	case network.Connected, network.Limited:
		return true
	}
	return false
}
