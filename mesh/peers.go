package mesh

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"

	"github.com/edgeistry/edgeistry/internal/dialerror"
)

// Connect makes sure that there is a connection to a node, over a relay if need be. find looks up the addresses of a node of which
// none is known. The error is a *NodeError.
func Connect(ctx context.Context, h host.Host, info peer.AddrInfo, find func(context.Context, peer.ID) (peer.AddrInfo, error)) error {
	if info.ID == h.ID() || h.Network().Connectedness(info.ID) != network.NotConnected {
		return nil
	}
	ctx, cancel := context.WithTimeout(network.WithAllowLimitedConn(ctx, "ping"), dialTimeout)
	defer cancel()
	if len(info.Addrs) == 0 && len(h.Peerstore().Addrs(info.ID)) == 0 {
		found, err := find(ctx, info.ID)
		if err != nil {
			return &NodeError{Node: info.ID, Problem: "is not known", Unknown: true}
		}
		info.Addrs = found.Addrs
	}
	if err := h.Connect(ctx, info); err != nil {
		return &NodeError{Node: info.ID, Problem: "is not reachable", Err: dialerror.Explain(err)}
	}
	return nil
}

// Ping measures count round trips to a node. The error is a *NodeError, or that of ctx.
func Ping(ctx context.Context, h host.Host, p peer.ID, count int) ([]time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all []time.Duration
	for r := range ping.Ping(ctx, h, p) {
		if r.Error != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, &NodeError{Node: p, Problem: "does not answer", Err: dialerror.Explain(r.Error)}
		}
		if all = append(all, r.RTT); len(all) == count {
			return all, nil
		}
	}
	return nil, &NodeError{Node: p, Problem: "did not answer in time", Timeout: true}
}

// Addrs returns the addresses at which others reach a host. Each ends with the host's ID.
func Addrs(h host.Host) []string {
	out := []string{}
	for _, a := range h.Addrs() {
		out = append(out, a.String()+"/p2p/"+h.ID().String())
	}
	return out
}
