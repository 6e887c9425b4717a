package mesh

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/edgeistry/edgeistry/dht"
	"github.com/edgeistry/edgeistry/relay"
)

const hostTestProto protocol.ID = "/edgeistry/host-test/1.0.0"

func hostTestKey(t testing.TB) crypto.PrivKey {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func hostTestStart(t testing.TB, cfg HostConfig) host.Host {
	t.Helper()
	cfg.Key, cfg.HolePunch = hostTestKey(t), true
	cfg.Protocols = []protocol.ID{hostTestProto, dht.ProtocolID("farm")}
	h, err := NewHost(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func hostTestUntil(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("%s did not happen in 10 s", what)
		case <-tick.C:
		}
	}
}

func TestHostTransports(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, listen := range []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"} {
		t.Run(listen, func(t *testing.T) {
			server := hostTestStart(t, HostConfig{Listen: []string{listen}, Version: "1.2"})
			client := hostTestStart(t, HostConfig{Version: "1.2"})
			if got := len(client.Addrs()); got != 0 {
				t.Errorf("a host without a listener has %d addresses", got)
			}
			if got := server.Addrs(); len(got) != 1 || strings.Contains(got[0].String(), "/0") {
				t.Errorf("Addrs = %v, want one with its real port", got)
			}
			if err := client.Connect(ctx, peer.AddrInfo{ID: server.ID(), Addrs: server.Addrs()}); err != nil {
				t.Fatal(err)
			}
			if agent, err := client.Peerstore().Get(server.ID(), "AgentVersion"); err != nil || agent != "edgeistry/1.2" {
				t.Errorf("agent = %v, %v", agent, err)
			}
			if result := <-ping.Ping(ctx, client, server.ID()); result.Error != nil {
				t.Errorf("ping: %v", result.Error)
			}
		})
	}
}

func TestHostRefuses(t *testing.T) {
	if _, err := NewHost(HostConfig{}); err == nil {
		t.Error("host without an identity started")
	}
	_, err := NewHost(HostConfig{Key: hostTestKey(t), Listen: []string{"tcp:1234"}})
	if err == nil || !strings.Contains(err.Error(), `"tcp:1234"`) {
		t.Errorf("bad listen address: %v, want an error that names it", err)
	}
}

// TestHostStreams opens more streams of our protocol at once than libp2p lets a peer by default.
func TestHostStreams(t *testing.T) {
	const count = 200
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	server := hostTestStart(t, HostConfig{Listen: []string{"/ip4/127.0.0.1/tcp/0"}})
	client := hostTestStart(t, HostConfig{})
	server.SetStreamHandler(hostTestProto, func(s network.Stream) {
		_, _ = io.Copy(s, s)
		_ = s.Close()
	})
	if err := client.Connect(ctx, peer.AddrInfo{ID: server.ID(), Addrs: server.Addrs()}); err != nil {
		t.Fatal(err)
	}
	var streams []network.Stream
	for i := range count {
		s, err := client.NewStream(ctx, server.ID(), hostTestProto)
		if err != nil {
			t.Fatalf("stream %d: %v", i, err)
		}
		streams = append(streams, s)
	}
	var wg sync.WaitGroup
	for i, s := range streams {
		wg.Go(func() {
			_ = s.SetDeadline(time.Now().Add(10 * time.Second))
			b := []byte("hello")
			if _, err := s.Write(b); err != nil {
				t.Errorf("stream %d: write: %v", i, err)
			} else if _, err := io.ReadFull(s, b); err != nil {
				t.Errorf("stream %d: read: %v", i, err)
			}
			_ = s.Reset()
		})
	}
	wg.Wait()
}

// TestHostConnLimits asks the resource manager for connections from addresses that loopback tests never show.
func TestHostConnLimits(t *testing.T) {
	open := func(t *testing.T, addr string, count int) (opened int) {
		t.Helper()
		resources, err := hostResources(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resources.Close()
		for range count {
			scope, err := resources.OpenConnection(network.DirInbound, true, ma.StringCast(addr))
			if err != nil {
				return opened
			}
			defer scope.Done()
			opened++
		}
		return opened
	}
	for addr, want := range map[string]int{
		"/ip4/192.168.1.20/tcp/7776": 100,
		"/ip4/10.0.0.1/tcp/7776":     100,
		"/ip4/172.17.0.2/tcp/7776":   100,
		"/ip4/100.64.3.2/tcp/7776":   100,
		"/ip6/fd00::1/tcp/7776":      100,
		"/ip4/203.0.113.9/tcp/7776":  hostConnsSite,
		"/ip6/2001:db8::1/tcp/7776":  hostConnsSite,
	} {
		if got := open(t, addr, 100); got != want {
			t.Errorf("connections from %s = %d, want %d", addr, got, want)
		}
	}
}

// TestHostBehindNAT is the whole way: a node that nobody can dial joins the mesh through a seed, reserves there and
// publishes a record; another node resolves it and opens a stream, knowing the record only.
func TestHostBehindNAT(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	quiet := slog.New(slog.DiscardHandler)
	join := func(h host.Host, seeds ...peer.AddrInfo) *dht.Registry {
		t.Helper()
		registry, err := dht.New(ctx, h, dht.Config{Mesh: "farm", Seeds: seeds, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { registry.Close() })
		return registry
	}

	seed := hostTestStart(t, HostConfig{Listen: []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"}})
	seedRegistry := join(seed)
	service, err := relay.NewService(seed, relay.Limits{Admit: seedRegistry.IsMember})
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	at := peer.AddrInfo{ID: seed.ID(), Addrs: seed.Addrs()}

	var client atomic.Pointer[relay.Client]
	edge := hostTestStart(t, HostConfig{Extra: func() []ma.Multiaddr {
		if c := client.Load(); c != nil {
			return c.CircuitAddrs()
		}
		return nil
	}})
	edge.SetStreamHandler(hostTestProto, func(s network.Stream) {
		_, _ = io.Copy(s, s)
		_ = s.Close()
	})
	edgeRegistry := join(edge, at)
	c, err := relay.NewClient(edge, relay.ClientConfig{Relays: []peer.AddrInfo{at}, MinBackoff: 20 * time.Millisecond, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	client.Store(c)
	hostTestUntil(t, "circuit address", func() bool { return len(edge.Addrs()) > 0 })

	key := hostTestKey(t)
	acks, err := edgeRegistry.Publish(ctx, key, dht.Record{Homes: []peer.AddrInfo{{ID: edge.ID(), Addrs: edge.Addrs()}}})
	if err != nil || acks != 1 {
		t.Fatalf("Publish = %d, %v, want 1 acknowledgement", acks, err)
	}
	own := edgeRegistry.Status().Published[0].Service

	caller := hostTestStart(t, HostConfig{}) // with a listener the other end may come to it directly
	callerRegistry := join(caller, at)
	rec, err := callerRegistry.Resolve(ctx, own)
	if err != nil {
		t.Fatal(err)
	}
	// The relay lets members through, and may not have heard yet that the caller is one; who asks goes on asking, as mesh.dial does.
	hostTestUntil(t, "a connection to the home in the record", func() bool {
		caller.Network().(*swarm.Swarm).Backoff().Clear(edge.ID())
		return caller.Connect(network.WithAllowLimitedConn(ctx, "test"), rec.Homes[0]) == nil
	})
	if got, want := relay.Describe(caller, edge.ID()).String(), "relayed through "+seed.ID().String(); got != want {
		t.Errorf("Describe = %q, want %q", got, want)
	}
	s, err := caller.NewStream(network.WithAllowLimitedConn(ctx, "test"), edge.ID(), hostTestProto)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_ = s.SetDeadline(time.Now().Add(10 * time.Second))
	data := make([]byte, 2<<20)
	go func() { _, _ = s.Write(data) }()
	if _, err := io.ReadFull(s, data); err != nil {
		t.Errorf("2 MiB through the relay: %v", err)
	}
	// The relayed node is a full member of the registry for the others.
	hostTestUntil(t, "relayed membership", func() bool { return slices.Contains(callerRegistry.Peers(), edge.ID()) })
	if acks, err := callerRegistry.Publish(ctx, hostTestKey(t), dht.Record{Homes: []peer.AddrInfo{{ID: caller.ID()}}}); err != nil || acks != 2 {
		t.Errorf("Publish with a relayed member = %d, %v, want 2 acknowledgements", acks, err)
	}
}

// TestHostSharedPort starts a second host on the port of a first one, over TCP and over UDP, alone and beside a port that
// is free: it fails and names the port. After the first has gone the port is free at once.
func TestHostSharedPort(t *testing.T) {
	for _, listen := range []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"} {
		first := hostTestStart(t, HostConfig{Listen: []string{listen}})
		taken := first.Addrs()[0].String()
		for _, all := range [][]string{{taken}, {"/ip4/127.0.0.1/tcp/0", taken}} {
			h, err := NewHost(HostConfig{Key: hostTestKey(t), Listen: all, HolePunch: true})
			if err == nil {
				h.Close()
				t.Errorf("a second node listens on %v too", all)
				continue
			}
			if !strings.Contains(err.Error(), taken) || !strings.Contains(err.Error(), "in use") {
				t.Errorf("the error is %q, want one that names %s", err, taken)
			}
		}
		first.Close()
		hostTestStart(t, HostConfig{Listen: []string{taken}})
	}
}

// TestHostDialsFromItsPort checks what hole punching needs: outgoing TCP connections leave from the listening port.
func TestHostDialsFromItsPort(t *testing.T) {
	a := hostTestStart(t, HostConfig{Listen: []string{"/ip4/127.0.0.1/tcp/0"}})
	b := hostTestStart(t, HostConfig{Listen: []string{"/ip4/127.0.0.1/tcp/0"}})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := a.Connect(ctx, peer.AddrInfo{ID: b.ID(), Addrs: b.Addrs()}); err != nil {
		t.Fatal(err)
	}
	hostTestUntil(t, "connection", func() bool { return len(b.Network().ConnsToPeer(a.ID())) == 1 })
	if got := b.Network().ConnsToPeer(a.ID())[0].RemoteMultiaddr(); !got.Equal(a.Addrs()[0]) {
		t.Errorf("b sees a at %s, want its listening address %s", got, a.Addrs()[0])
	}
}
