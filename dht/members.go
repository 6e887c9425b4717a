package dht

import (
	"context"
	"fmt"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/edgeistry/edgeistry/internal/dialerror"
)

// IsMember reports whether a peer said that it is in this mesh, in the connection that there is or
// was.
func (r *Registry) IsMember(p peer.ID) bool {
	protos, err := r.h.Peerstore().SupportsProtocols(p, r.proto)
	return err == nil && len(protos) > 0
}

// notMember returns why a connected peer is not in this mesh. It is nil for a member, and for a
// peer that has not said yet which protocols it speaks.
func (r *Registry) notMember(p peer.ID) *dialerror.Error {
	protos, err := r.h.Peerstore().GetProtocols(p)
	if err != nil || len(protos) == 0 || r.IsMember(p) {
		return nil
	}
	for _, proto := range protos {
		if mesh, ok := meshOf(proto); ok {
			return dialerror.New(dialerror.OtherMesh, "answers, but is of another mesh: %s, not %s", mesh, r.mesh)
		}
	}
	return dialerror.New(dialerror.NotANode, "answers, but is no edgeistry node")
}

// Peers returns the members of the mesh that are connected, directly or through a relay.
func (r *Registry) Peers() []peer.ID {
	var members []peer.ID
	for _, p := range r.h.Network().Peers() {
		if online(r.h, p) && r.IsMember(p) {
			members = append(members, p)
		}
	}
	return members
}

// FindPeer returns addresses of a member of the mesh. It ends with ctx or with the time for a
// lookup.
func (r *Registry) FindPeer(ctx context.Context, p peer.ID) (peer.AddrInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, r.limits.LookupTime)
	defer cancel()
	info, err := r.kad.FindPeer(ctx, p)
	if err != nil {
		return peer.AddrInfo{}, fmt.Errorf("find peer %s: %w", p, err)
	}
	return info, nil
}

// startMDNS announces the node on the local network and listens for others. Blocked multicast must
// not stop a node.
func (r *Registry) startMDNS() {
	s := mdns.NewMdnsService(r.h, mdnsService(r.mesh), neighbours{r})
	if err := s.Start(); err != nil {
		r.log.Warn("members on the local network will not be found: multicast DNS did not start", "error", err)
		_ = s.Close()
		return
	}
	r.mdns = s
}

type neighbours struct{ r *Registry }

func (n neighbours) HandlePeerFound(info peer.AddrInfo) {
	info.Addrs = usableAddrs(info.Addrs)
	n.r.dialer.add(info, false)
}

// watch follows who comes and goes.
func (r *Registry) watch() {
	for {
		select {
		case <-r.ctx.Done():
			return
		case e, ok := <-r.events.Out():
			if !ok {
				return
			}
			switch e := e.(type) {
			case event.EvtPeerIdentificationCompleted:
				r.dialer.identified(e.Peer)
				if r.IsMember(e.Peer) {
					r.arrive(e.Peer, identified(e))
				}
			case event.EvtPeerProtocolsUpdated:
				r.dialer.identified(e.Peer)
				if r.IsMember(e.Peer) {
					r.arrive(e.Peer, r.h.Peerstore().Addrs(e.Peer))
				}
			case event.EvtPeerConnectednessChanged:
				if e.Connectedness == network.NotConnected {
					r.leave(e.Peer)
				}
			}
		}
	}
}

func (r *Registry) arrive(p peer.ID, addrs []ma.Multiaddr) {
	r.mu.Lock()
	close(r.arrived)
	r.arrived = make(chan struct{})
	r.mu.Unlock()
	signal(r.feed)
	info := peer.AddrInfo{ID: p, Addrs: addrs}
	connected := func(p peer.ID) bool { return online(r.h, p) }
	if err := r.peers.remember(r.ctx, info, r.now(), connected); err != nil && r.ctx.Err() == nil {
		r.log.Warn("peer is not remembered", "peer", p, "error", err)
	}
}

// leave forgets which own records a peer holds: when it comes back it may have lost them.
func (r *Registry) leave(p peer.ID) {
	r.mu.Lock()
	for _, o := range r.own {
		delete(o.holders, p)
	}
	r.mu.Unlock()
	r.dialer.lost(p)
}

// identified returns the addresses to reach a peer at again: the one that we reached it at first,
// then what it says.
func identified(e event.EvtPeerIdentificationCompleted) []ma.Multiaddr {
	addrs := e.ListenAddrs
	if e.Conn != nil && e.Conn.Stat().Direction == network.DirOutbound {
		addrs = append([]ma.Multiaddr{e.Conn.RemoteMultiaddr()}, addrs...)
	}
	return ma.Unique(addrs)
}
