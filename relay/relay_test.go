package relay

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
)

const echo = "/edgeistry/echo-test/1.0.0"

// newKey returns a fresh identity.
func newKey(t testing.TB) crypto.PrivKey {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// startHost starts a host on loopback, or one that nobody can dial when listen is empty.
func startHost(t testing.TB, key crypto.PrivKey, listen string, extra func() []ma.Multiaddr) host.Host {
	t.Helper()
	opts := []libp2p.Option{
		libp2p.Identity(key),
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Security(noise.ID, noise.New),
		libp2p.DisableMetrics(),
		libp2p.EnableRelay(),
		libp2p.ResourceManager(&network.NullResourceManager{}),
	}
	if listen == "" {
		opts = append(opts, libp2p.NoListenAddrs, libp2p.EnableRelay())
	} else {
		opts = append(opts, libp2p.ListenAddrStrings(listen))
	}
	if extra != nil {
		opts = append(opts, libp2p.AddrsFactory(func(addrs []ma.Multiaddr) []ma.Multiaddr {
			return append(slices.Clone(addrs), extra()...)
		}))
	}
	h, err := libp2p.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func info(h host.Host) peer.AddrInfo { return peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()} }

// edge is a node without a listener that is reached through relays.
type edge struct {
	host.Host
	client *Client
}

func startEdge(t testing.TB, relays ...peer.AddrInfo) *edge {
	t.Helper()
	var client atomic.Pointer[Client]
	h := startHost(t, newKey(t), "", func() []ma.Multiaddr {
		if c := client.Load(); c != nil {
			return c.CircuitAddrs()
		}
		return nil
	})
	h.SetStreamHandler(echo, func(s network.Stream) {
		defer s.Close()
		_, _ = io.Copy(s, s)
	})
	c, err := NewClient(h, ClientConfig{Relays: relays, MinBackoff: 50 * time.Millisecond, MaxBackoff: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	client.Store(c)
	t.Cleanup(func() { c.Close() })
	return &edge{h, c}
}

// until polls a condition with a deadline.
func until(t testing.TB, what string, ok func() bool) {
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

func (e *edge) awaitReservation(t testing.TB) {
	t.Helper()
	until(t, "reservation", func() bool { return len(e.client.CircuitAddrs()) > 0 })
}

func openStream(ctx context.Context, h host.Host, p peer.ID) (network.Stream, error) {
	return h.NewStream(network.WithAllowLimitedConn(ctx, "test"), p, echo)
}

// roundTrip sends data over a stream and compares what comes back.
func roundTrip(t testing.TB, s network.Stream, data []byte) time.Duration {
	t.Helper()
	start := time.Now()
	sent := make(chan error, 1)
	go func() {
		_, err := s.Write(data)
		sent <- err
	}()
	got := make([]byte, len(data))
	if _, err := io.ReadFull(s, got); err != nil {
		t.Fatalf("read echo: %v", err)
	}
	if err := <-sent; err != nil {
		t.Fatalf("write: %v", err)
	}
	if !bytes.Equal(got, data) {
		t.Fatal("echo differs")
	}
	return time.Since(start)
}

// TestRelayed has an edge node without a listener, a relay, and a caller that knows nothing but the
// circuit address.
func TestRelayed(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	relayHost := startHost(t, newKey(t), "/ip4/127.0.0.1/tcp/0", nil)
	service, err := NewService(relayHost, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	e := startEdge(t, info(relayHost))
	updates, err := e.EventBus().Subscribe(new(event.EvtLocalAddressesUpdated))
	if err != nil {
		t.Fatal(err)
	}
	defer updates.Close()
	e.awaitReservation(t)

	if got, want := e.client.Status().String(), "relayed through "+relayHost.ID().String(); got != want {
		t.Errorf("Status = %q, want %q", got, want)
	}
	status := e.client.Status().Relays[0]
	if want := DefaultLimits(); status.Data != uint64(want.Data) || status.Duration != want.Duration {
		t.Errorf("limits at the client = %d bytes %s, want %d %s", status.Data, status.Duration, want.Data, want.Duration)
	}
	// The host announces the circuit address at once, not in its next round, which comes every 5 s.
	announced := time.NewTimer(3 * time.Second)
	defer announced.Stop()
	for circuit := false; !circuit; {
		select {
		case <-announced.C:
			t.Fatal("the host did not announce its circuit address in 3 s")
		case e := <-updates.Out():
			circuit = slices.ContainsFunc(e.(event.EvtLocalAddressesUpdated).Current, func(a event.UpdatedAddress) bool {
				_, relayed := through(a.Address)
				return relayed
			})
		}
	}

	caller := startHost(t, newKey(t), "/ip4/127.0.0.1/tcp/0", nil)
	if got := Describe(caller, e.ID()); got.Kind != None || got.String() != "none" {
		t.Errorf("Describe before = %v, want none", got)
	}
	circuitOnly := peer.AddrInfo{ID: e.ID(), Addrs: e.client.CircuitAddrs()}
	if err := caller.Connect(ctx, circuitOnly); err != nil {
		t.Fatalf("connect through relay: %v", err)
	}
	if got := Describe(caller, e.ID()); got.Kind != Relayed || got.Via != relayHost.ID() {
		t.Errorf("Describe = %v, want relayed through %s", got, relayHost.ID())
	}
	if got := Describe(caller, relayHost.ID()); got.Kind != Direct {
		t.Errorf("Describe relay = %v, want direct", got)
	}
	if got := Describe(e.Host, caller.ID()); got.Kind != Relayed || got.Via != relayHost.ID() {
		t.Errorf("Describe from the edge = %v, want relayed through %s", got, relayHost.ID())
	}

	s, err := openStream(ctx, caller, e.ID())
	if err != nil {
		t.Fatalf("open stream through relay: %v", err)
	}
	defer s.Close()
	data := make([]byte, 4<<20) // libp2p's default would end the circuit at 128 KiB
	rand.Read(data)
	took := roundTrip(t, s, data)
	t.Logf("4 MiB there and back through the relay in %s", took)

	var times []time.Duration
	for range 200 {
		times = append(times, roundTrip(t, s, data[:64]))
	}
	slices.Sort(times)
	t.Logf("64-byte echo through the relay: p50 %s, p99 %s (n %d)", times[100], times[198], len(times))

	stats := service.Stats()
	if stats.Reservations != 1 || stats.Circuits != 1 || stats.Bytes < 2*int64(len(data)) {
		t.Errorf("Stats = %+v, want 1 reservation, 1 circuit, at least %d bytes", stats, 2*len(data))
	}
}

// TestDataLimit shows that the limit is in force, so that TestRelayed does not pass for want of
// one.
func TestDataLimit(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	relayHost := startHost(t, newKey(t), "/ip4/127.0.0.1/tcp/0", nil)
	service, err := NewService(relayHost, Limits{Data: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	e := startEdge(t, info(relayHost))
	e.awaitReservation(t)
	caller := startHost(t, newKey(t), "/ip4/127.0.0.1/tcp/0", nil)
	if err := caller.Connect(ctx, peer.AddrInfo{ID: e.ID(), Addrs: e.client.CircuitAddrs()}); err != nil {
		t.Fatal(err)
	}
	s, err := openStream(ctx, caller, e.ID())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	go func() { _, _ = s.Write(make([]byte, 1<<20)) }()
	_ = s.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, err := io.ReadFull(s, make([]byte, 1<<20)); err == nil {
		t.Errorf("%d bytes came through a circuit of 256 KiB", n)
	}
}

// TestRelayLostAndBack takes the relay away and starts it again with the same identity and port.
func TestRelayLostAndBack(t *testing.T) {
	key := newKey(t)
	relayHost := startHost(t, key, "/ip4/127.0.0.1/tcp/0", nil)
	service, err := NewService(relayHost, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	at := info(relayHost)
	e := startEdge(t, at)
	e.awaitReservation(t)

	service.Close()
	relayHost.Close()
	until(t, "loss of the reservation", func() bool { return len(e.client.CircuitAddrs()) == 0 })
	if got := e.client.Status().String(); !strings.HasPrefix(got, "not relayed") {
		t.Errorf("Status without the relay = %q", got)
	}

	again := startHost(t, key, at.Addrs[0].String(), nil)
	service, err = NewService(again, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	start := time.Now()
	e.awaitReservation(t)
	t.Logf("reservation back %s after the relay", time.Since(start))
	until(t, "reservation at the relay", func() bool { return service.Stats().Reservations == 1 })
	caller := startHost(t, newKey(t), "/ip4/127.0.0.1/tcp/0", nil)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := caller.Connect(ctx, peer.AddrInfo{ID: e.ID(), Addrs: e.client.CircuitAddrs()}); err != nil {
		t.Errorf("connect after the relay came back: %v", err)
	}
}

// TestFlap cuts the connection and makes a new one at once: the relay has forgotten the reservation
// although the client is connected.
func TestFlap(t *testing.T) {
	relayHost := startHost(t, newKey(t), "/ip4/127.0.0.1/tcp/0", nil)
	service, err := NewService(relayHost, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	e := startEdge(t, info(relayHost))
	e.awaitReservation(t)
	for range 3 {
		if err := e.Network().ClosePeer(relayHost.ID()); err != nil {
			t.Fatal(err)
		}
		if err := e.Connect(t.Context(), info(relayHost)); err != nil {
			t.Fatal(err)
		}
	}
	caller := startHost(t, newKey(t), "/ip4/127.0.0.1/tcp/0", nil)
	until(t, "a circuit after the flap", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		addrs := e.client.CircuitAddrs()
		return len(addrs) > 0 && caller.Connect(ctx, peer.AddrInfo{ID: e.ID(), Addrs: addrs}) == nil
	})
}

// TestReplacedConnection is the flap that nobody reports: the connection of the reservation is
// gone, there is another one, and no event said so in between.
func TestReplacedConnection(t *testing.T) {
	relayHost := startHost(t, newKey(t), "/ip4/127.0.0.1/tcp/0", nil)
	service, err := NewService(relayHost, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	e := startEdge(t, info(relayHost))
	e.awaitReservation(t)
	r := e.client.reservations[0]
	if !r.holds() {
		t.Fatal("a fresh reservation does not hold")
	}
	e.client.mu.Lock()
	r.conns = map[string]bool{"ended": true}
	e.client.mu.Unlock()
	if r.holds() {
		t.Error("a reservation made over a connection that ended holds")
	}
	r.change <- struct{}{}
	until(t, "new reservation", r.holds)
}

// TestRenewal has reservations of 3 s, which are renewed after 2.
func TestRenewal(t *testing.T) {
	relayHost := startHost(t, newKey(t), "/ip4/127.0.0.1/tcp/0", nil)
	service, err := NewService(relayHost, Limits{ReservationTime: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	e := startEdge(t, info(relayHost))
	e.awaitReservation(t)
	first := e.client.Status().Relays[0].Expires
	until(t, "renewal", func() bool {
		status := e.client.Status().Relays[0]
		if status.State != Reserved {
			t.Fatalf("state while renewing = %s, want reserved", status.State)
		}
		return status.Expires.After(first)
	})
}

// TestNotOffered has a peer that is no relay, becomes one, and then admits nobody.
func TestNotOffered(t *testing.T) {
	relayHost := startHost(t, newKey(t), "/ip4/127.0.0.1/tcp/0", nil)
	e := startEdge(t, info(relayHost))
	state := func(want State) func() bool {
		return func() bool { return e.client.Status().Relays[0].State == want }
	}
	until(t, "state not offered", state(NotOffered))
	service, err := NewService(relayHost, Limits{Admit: func(peer.ID) bool { return false }})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "state refused", state(Refused))
	if got := service.Stats().Refused; got == 0 {
		t.Error("Stats counts no refusal")
	}
	if got := e.client.CircuitAddrs(); len(got) != 0 {
		t.Errorf("CircuitAddrs without a reservation = %v", got)
	}
	service.Close()
	service, err = NewService(relayHost, Limits{Admit: func(p peer.ID) bool { return p == e.ID() }})
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	until(t, "state reserved", state(Reserved))
	// The caller is not admitted.
	caller := startHost(t, newKey(t), "/ip4/127.0.0.1/tcp/0", nil)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := caller.Connect(ctx, peer.AddrInfo{ID: e.ID(), Addrs: e.client.CircuitAddrs()}); err == nil {
		t.Error("a stranger got a circuit")
	}
}

func TestCloseTwice(t *testing.T) {
	relayHost := startHost(t, newKey(t), "/ip4/127.0.0.1/tcp/0", nil)
	service, err := NewService(relayHost, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	e := startEdge(t, info(relayHost))
	for range 2 {
		if err := errors.Join(e.client.Close(), service.Close()); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

func TestConfig(t *testing.T) {
	h := startHost(t, newKey(t), "/ip4/127.0.0.1/tcp/0", nil)
	if _, err := NewService(h, Limits{Data: -1}); err == nil {
		t.Error("negative limit taken")
	}
	if _, err := NewClient(h, ClientConfig{Relays: make([]peer.AddrInfo, maxRelays+1)}); err == nil {
		t.Error("too many relays taken")
	}
	l, err := Limits{Circuits: 3}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if l.Circuits != 3 || l.Data < 64<<20 || l.Duration < time.Hour {
		t.Errorf("limits = %+v", l)
	}
	if got, want := DefaultLimits().String(), "1024 MiB and 12h0m0s a circuit, 64 circuits a peer, 256 reservations"; got != want {
		t.Errorf("String = %q, want %q", got, want)
	}
}

func TestCircuitAddrs(t *testing.T) {
	h := startHost(t, newKey(t), "/ip4/127.0.0.1/tcp/0", nil)
	id := h.ID().String()
	other := "12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo"
	parse := func(texts ...string) (addrs []ma.Multiaddr) {
		for _, text := range texts {
			addrs = append(addrs, ma.StringCast(text))
		}
		return addrs
	}
	got := circuitAddrs(h.ID(),
		parse("/ip4/127.0.0.1/tcp/1", "/ip4/10.1.2.3/tcp/2", "/ip4/0.0.0.0/tcp/9"),
		parse("/ip4/10.1.2.3/tcp/2/p2p/"+id, "/ip4/8.8.8.8/tcp/3", "/ip4/9.9.9.9/tcp/4/p2p/"+other,
			"/ip4/10.1.2.3/tcp/7/p2p/"+other+"/p2p-circuit", "/ip4/127.0.0.1/tcp/5"))
	want := parse("/ip4/8.8.8.8/tcp/3/p2p/"+id+"/p2p-circuit", "/ip4/10.1.2.3/tcp/2/p2p/"+id+"/p2p-circuit",
		"/ip4/127.0.0.1/tcp/1/p2p/"+id+"/p2p-circuit")
	if !slices.EqualFunc(got, want, ma.Multiaddr.Equal) {
		t.Errorf("circuitAddrs = %v, want %v", got, want)
	}
}
