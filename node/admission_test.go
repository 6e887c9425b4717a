package node

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	circuit "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/edgeistry/edgeistry/dht"
	"github.com/edgeistry/edgeistry/mesh"
)

// TestRelayAdmission asks the relay of a whole node as a stranger, as a node of another mesh and as a member: for a
// reservation, and for a circuit to a member that has one. Only the member gets either.
func TestRelayAdmission(t *testing.T) {
	n, _ := startNode(t, testHome(t, nil))
	relay := peer.AddrInfo{ID: n.host.ID(), Addrs: n.host.Addrs()}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	visitor := func(speaks ...protocol.ID) host.Host {
		h := hostTestStartAs(t, mesh.HostConfig{})
		for _, id := range speaks {
			h.SetStreamHandler(id, func(s network.Stream) { _ = s.Reset() })
		}
		if err := h.Connect(ctx, relay); err != nil {
			t.Fatal(err)
		}
		for _, id := range speaks {
			eventually(t, "the node knows what its visitor speaks", func() error {
				got, err := n.host.Peerstore().SupportsProtocols(h.ID(), id)
				if err == nil && len(got) == 0 {
					err = fmt.Errorf("it does not know %s yet", id)
				}
				return err
			})
		}
		return h
	}
	member := dht.ProtocolID("test")
	home := visitor(member)
	if _, err := circuit.Reserve(ctx, home, relay); err != nil {
		t.Fatalf("a member gets no reservation: %v", err)
	}
	through := peer.AddrInfo{ID: home.ID(), Addrs: []ma.Multiaddr{
		relay.Addrs[0].Encapsulate(ma.StringCast("/p2p/" + relay.ID.String() + "/p2p-circuit")),
	}}
	for _, tt := range []struct {
		name   string
		speaks []protocol.ID
		want   bool
	}{
		{"stranger", nil, false},
		{"node of another mesh", []protocol.ID{dht.ProtocolID("test2")}, false},
		{"member", []protocol.ID{member}, true},
	} {
		h := visitor(tt.speaks...)
		refused := n.relaying.Stats().Refused
		if _, err := circuit.Reserve(ctx, h, relay); (err == nil) != tt.want {
			t.Errorf("%s: reservation: %v, want one: %t", tt.name, err, tt.want)
		}
		short, cancel := context.WithTimeout(network.WithAllowLimitedConn(ctx, "test"), 5*time.Second)
		if err := h.Connect(short, through); (err == nil) != tt.want {
			t.Errorf("%s: circuit: %v, want one: %t", tt.name, err, tt.want)
		}
		cancel()
		if got := n.relaying.Stats().Refused - refused; (got > 0) == tt.want {
			t.Errorf("%s: %d requests were refused", tt.name, got)
		}
	}
}

// hostTestStartAs starts a host without anything of the mesh on it.
func hostTestStartAs(t testing.TB, cfg mesh.HostConfig) host.Host {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Key = key
	h, err := mesh.NewHost(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}
