package dht

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// TestAdmission has a stranger and a node of another mesh connect beside a member. Only the member
// is a peer, is remembered, is in the routing table, and is brought records.
func TestAdmission(t *testing.T) {
	a := startNode(t)
	visitor := func(speaks protocol.ID) peer.ID {
		h := startHost(t, newService(t, randomSeed()).key, "/ip4/127.0.0.1/tcp/0")
		if speaks != "" {
			h.SetStreamHandler(speaks, func(s network.Stream) { _ = s.Reset() })
		}
		if err := h.Connect(bounded(t, 10*time.Second), a.info()); err != nil {
			t.Fatal(err)
		}
		until(t, "identification", func() bool {
			protos, err := a.Peerstore().GetProtocols(h.ID())
			return err == nil && len(protos) > 0
		})
		return h.ID()
	}
	stranger, other := visitor(""), visitor(ProtocolID("farm2"))
	member := startNode(t, a.info())
	a.awaitPeers(t, 1)
	s := newService(t, 1)
	if acks := a.publish(t, s); acks != 1 {
		t.Errorf("Publish = %d acknowledgements, want that of the member", acks)
	}
	until(t, "the member is remembered", func() bool {
		return slices.ContainsFunc(a.reg.peers.all(), func(p peer.AddrInfo) bool { return p.ID == member.ID() })
	})
	for _, p := range []peer.ID{stranger, other} {
		if a.reg.IsMember(p) || slices.Contains(a.reg.Peers(), p) {
			t.Errorf("%s counts as a member", p)
		}
		if slices.ContainsFunc(a.reg.peers.all(), func(i peer.AddrInfo) bool { return i.ID == p }) {
			t.Errorf("%s is remembered", p)
		}
		if a.reg.kad.RoutingTable().Find(p) != "" {
			t.Errorf("%s is in the routing table", p)
		}
		if _, missing := a.reg.missing()[p]; missing {
			t.Errorf("records are to be brought to %s", p)
		}
	}
	if !a.reg.IsMember(member.ID()) || !slices.Contains(a.reg.Peers(), member.ID()) || a.reg.kad.RoutingTable().Find(member.ID()) == "" {
		t.Error("the member is not taken for one")
	}
}

// TestClockInThePast has a node that starts in 1970: nobody takes its records. Published again
// after its clock was set they resolve, with the next sequence number.
func TestClockInThePast(t *testing.T) {
	var set atomic.Bool
	clock := func() time.Time {
		if set.Load() {
			return time.Now()
		}
		return time.Unix(1000, 0)
	}
	b := startNode(t)
	a := startNodeWith(t, newService(t, randomSeed()).key, "/ip4/127.0.0.1/tcp/0",
		Config{Mesh: "farm", Datastore: memory(), Seeds: []peer.AddrInfo{b.info()}, Limits: quick(), now: clock})
	a.awaitPeers(t, 1)
	s := newService(t, 1)
	if acks := a.publish(t, s); acks != 0 {
		t.Errorf("Publish in 1970 = %d acknowledgements", acks)
	}
	set.Store(true)
	if acks := a.publish(t, s); acks != 1 {
		t.Errorf("Publish after the clock was set = %d acknowledgements, want 1", acks)
	}
	if got := b.resolve(t, s.id).Record; got.Sequence != 2 {
		t.Errorf("sequence = %d, want 2", got.Sequence)
	}
}
