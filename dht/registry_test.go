package dht

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/edgeistry/edgeistry"
)

// node is a host with a registry in one process.
type node struct {
	host.Host
	reg *Registry
	ds  datastore.Batching
	key crypto.PrivKey
}

func (n *node) info() peer.AddrInfo { return peer.AddrInfo{ID: n.ID(), Addrs: n.Addrs()} }

func memory() datastore.Batching { return dssync.MutexWrap(datastore.NewMapDatastore()) }

func startHost(t testing.TB, key crypto.PrivKey, listen string) host.Host {
	t.Helper()
	h, err := libp2p.New(
		libp2p.Identity(key),
		libp2p.ListenAddrStrings(listen),
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Security(noise.ID, noise.New),
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.DisableMetrics(),
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func quick() Limits {
	return Limits{MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond, LookupTime: 5 * time.Second, PutTime: 2 * time.Second}
}

// startNode joins the mesh "farm" with the seeds given.
func startNode(t testing.TB, seeds ...peer.AddrInfo) *node {
	t.Helper()
	return startNodeWith(t, newService(t, randomSeed()).key, "/ip4/127.0.0.1/tcp/0", Config{Mesh: "farm", Datastore: memory(), Seeds: seeds, Limits: quick()})
}

func startNodeWith(t testing.TB, key crypto.PrivKey, listen string, cfg Config) *node {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	h := startHost(t, key, listen)
	reg, err := New(t.Context(), h, cfg)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{Host: h, reg: reg, ds: cfg.Datastore, key: key}
	t.Cleanup(func() { n.stop() })
	return n
}

func (n *node) stop() { n.reg.Close(); n.Host.Close() }

var seeds struct {
	sync.Mutex
	next byte
}

// randomSeed returns a seed that no other node of the test binary has.
func randomSeed() byte {
	seeds.Lock()
	defer seeds.Unlock()
	seeds.next++
	return 140 + seeds.next
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

func (n *node) awaitPeers(t testing.TB, count int) {
	t.Helper()
	until(t, "meeting the mesh", func() bool { return len(n.reg.Peers()) >= count && n.reg.Status().Table >= count })
}

func bounded(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// current returns a record of a service that is valid now, at home on a node.
func (s service) current(n *node) Record {
	return Record{Service: s.id, Homes: []peer.AddrInfo{n.info()}, Manifest: edgeistry.Manifest{Board: "test"}}
}

func (n *node) publish(t testing.TB, s service) int {
	t.Helper()
	acks, err := n.reg.Publish(bounded(t, 10*time.Second), s.key, s.current(n))
	if err != nil {
		t.Fatalf("Publish: %v", err)
	}
	return acks
}

func (n *node) resolve(t testing.TB, id edgeistry.ServiceID) Answer {
	t.Helper()
	answer, err := n.reg.Lookup(bounded(t, 5*time.Second), id)
	if err != nil {
		t.Fatalf("Lookup: %v", err)
	}
	return answer
}

func TestOneNode(t *testing.T) {
	n := startNode(t)
	s := newService(t, 1)
	if acks := n.publish(t, s); acks != 0 {
		t.Errorf("Publish alone = %d acknowledgements", acks)
	}
	start := time.Now()
	answer := n.resolve(t, s.id)
	if answer.From != FromOwn || answer.Record.Sequence != 1 || answer.Record.Homes[0].ID != n.ID() {
		t.Errorf("Lookup = %+v", answer)
	}
	if took := time.Since(start); took > 100*time.Millisecond {
		t.Errorf("own name resolved in %s", took)
	}
	_, err := n.reg.Resolve(bounded(t, 5*time.Second), newService(t, 2).id)
	if !errors.Is(err, ErrNotFound) {
		t.Errorf("Resolve of an unknown service = %v, want %v", err, ErrNotFound)
	}
	// The second publication has the next number.
	n.publish(t, s)
	if got := n.resolve(t, s.id).Record.Sequence; got != 2 {
		t.Errorf("sequence = %d, want 2", got)
	}
}

// TestPublishedBeforePeers is the smallest mesh: the record is published while nobody is there.
func TestPublishedBeforePeers(t *testing.T) {
	a := startNode(t)
	s := newService(t, 1)
	a.publish(t, s)
	b := startNode(t, a.info())
	until(t, "bringing the record to the newcomer", func() bool { return a.reg.Status().Published[0].Acks == 1 })
	// The newcomer has it even when the publisher is gone.
	a.stop()
	if answer := b.resolve(t, s.id); answer.From != FromMesh || answer.Record.Homes[0].ID != a.ID() {
		t.Errorf("Lookup = %+v", answer)
	}
}

func TestTwoNodes(t *testing.T) {
	a := startNode(t)
	b := startNode(t, a.info())
	// At once: what the routing tables do not have yet must not be missing.
	until(t, "connection", func() bool { return len(a.reg.Peers()) == 1 && len(b.reg.Peers()) == 1 })
	s := newService(t, 1)
	b.publish(t, s)
	if answer := a.resolve(t, s.id); answer.Record.Homes[0].ID != b.ID() {
		t.Errorf("Lookup = %+v", answer)
	}
	a.awaitPeers(t, 1)
	b.awaitPeers(t, 1)
	if acks := a.publish(t, newService(t, 2)); acks != 1 {
		t.Errorf("Publish with one other node = %d acknowledgements, want 1", acks)
	}
	info, err := a.reg.FindPeer(bounded(t, 5*time.Second), b.ID())
	if err != nil || info.ID != b.ID() {
		t.Errorf("FindPeer = %v, %v", info, err)
	}
}

func TestThreeNodes(t *testing.T) {
	a := startNode(t)
	b, c := startNode(t, a.info()), startNode(t, a.info())
	a.awaitPeers(t, 2)
	var resolved []time.Duration
	for i := range byte(60) {
		s := newService(t, i)
		if acks := b.publish(t, s); i > 20 && acks != 2 {
			t.Errorf("Publish = %d acknowledgements, want 2", acks)
		}
		start := time.Now()
		answer := c.resolve(t, s.id)
		resolved = append(resolved, time.Since(start))
		if answer.From != FromMesh || answer.Record.Homes[0].ID != b.ID() || answer.Record.Manifest.Board != "test" {
			t.Fatalf("Lookup = %+v", answer)
		}
	}
	slices.Sort(resolved)
	t.Logf("resolve on three nodes: p50 %s, max %s (n %d)", resolved[len(resolved)/2], resolved[len(resolved)-1], len(resolved))
}

// TestNewerWins publishes again, also from another home of the same service.
func TestNewerWins(t *testing.T) {
	a := startNode(t)
	b, c := startNode(t, a.info()), startNode(t, a.info())
	a.awaitPeers(t, 2)
	s := newService(t, 1)
	a.publish(t, s)
	a.publish(t, s)
	if got := c.resolve(t, s.id).Record; got.Sequence != 2 || got.Homes[0].ID != a.ID() {
		t.Errorf("sequence = %d, want 2", got.Sequence)
	}
	// b has never resolved the service and starts from what the mesh holds.
	b.publish(t, s)
	if got := c.resolve(t, s.id).Record; got.Sequence != 3 || got.Homes[0].ID != b.ID() {
		t.Errorf("after the second home: sequence = %d at %s, want 3 at %s", got.Sequence, got.Homes[0].ID, b.ID())
	}
	// The first home does not insist on its own record.
	if got := a.resolve(t, s.id).Record; got.Sequence != 3 {
		a.publish(t, s)
		if got := a.resolve(t, s.id).Record; got.Sequence != 4 {
			t.Errorf("first home publishes sequence %d, want 4", got.Sequence)
		}
	}
	old := s.current(b)
	old.Sequence = 1
	if _, err := b.reg.Publish(bounded(t, 5*time.Second), s.key, old); !errors.Is(err, ErrRollback) {
		t.Errorf("Publish of sequence 1 = %v, want %v", err, ErrRollback)
	}
}

// TestRollback has a node that replays an old record, honestly signed, to one that has seen a newer
// one and has lost everything but that memory.
func TestRollback(t *testing.T) {
	a := startNode(t)
	b := startNode(t, a.info())
	a.awaitPeers(t, 1)
	s := newService(t, 1)
	rec := s.current(a)
	rec.Sequence, rec.NotBefore, rec.Expiry = 1, time.Now(), time.Now().Add(time.Hour)
	old := s.seal(t, rec)
	rec.Sequence = 2
	if _, err := a.reg.Publish(bounded(t, 5*time.Second), s.key, rec); err != nil {
		t.Fatal(err)
	}
	if got := b.resolve(t, s.id).Record.Sequence; got != 2 {
		t.Fatalf("sequence = %d, want 2", got)
	}
	a.stop()
	// b restarts with an empty DHT store and its memory.
	ds := memory()
	k, ok := b.reg.known.get(s.id)
	if !ok {
		t.Fatal("the record is not remembered")
	}
	b.stop()
	if err := ds.Put(t.Context(), datastore.NewKey("/registry/farm/known/"+s.id.String()), k.value); err != nil {
		t.Fatal(err)
	}
	b = startNodeWith(t, b.key, "/ip4/127.0.0.1/tcp/0", Config{Mesh: "farm", Datastore: ds, Limits: quick()})
	evil := startNode(t, b.info())
	b.awaitPeers(t, 1)
	evil.awaitPeers(t, 1)
	put := record.MakePutRecord(Key(s.id), old)
	if err := evil.reg.values.Put(t.Context(), Key(s.id), put); err != nil {
		t.Fatal(err)
	}
	if err := evil.reg.messenger.PutValue(bounded(t, 5*time.Second), b.ID(), put); err == nil {
		t.Error("an older record was stored")
	}
	if answer := b.resolve(t, s.id); answer.Record.Sequence != 2 || answer.From != FromCache {
		t.Errorf("Lookup = sequence %d from %s, want 2 from cache", answer.Record.Sequence, answer.From)
	}
	// A node without the memory takes it: the test would not notice otherwise that nothing was
	// served.
	naive := startNode(t, evil.info())
	if answer := naive.resolve(t, s.id); answer.Record.Sequence != 1 {
		t.Errorf("Lookup of a newcomer = sequence %d, want 1", answer.Record.Sequence)
	}
}

// TestExpired has a record that runs out: it is not served, and it is reported.
func TestExpired(t *testing.T) {
	n := startNode(t)
	s := newService(t, 1)
	rec := s.current(n)
	rec.Sequence, rec.NotBefore, rec.Expiry = 5, time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	if _, err := n.reg.Publish(t.Context(), s.key, rec); !errors.Is(err, ErrExpired) {
		t.Errorf("Publish of an expired record = %v, want %v", err, ErrExpired)
	}
	rec.NotBefore, rec.Expiry = time.Now(), time.Now().Add(time.Hour)
	if _, err := n.reg.Publish(t.Context(), s.key, rec); err != nil {
		t.Fatal(err)
	}
	n.stop()

	// Time passes: the registry is opened two hours later.
	later := func() time.Time { return time.Now().Add(2 * time.Hour) }
	again := startNodeWith(t, n.key, "/ip4/127.0.0.1/tcp/0", Config{Mesh: "farm", Datastore: n.ds, Limits: quick(), now: later})
	if _, err := again.reg.Resolve(bounded(t, 5*time.Second), s.id); !errors.Is(err, ErrExpired) {
		t.Errorf("Resolve = %v, want %v", err, ErrExpired)
	}
	known, ok := again.reg.Known(s.id)
	if !ok || known.Record.Sequence != 5 || !errors.Is(known.Record.Valid(later()), ErrExpired) {
		t.Errorf("Known = %+v, %t, want the expired record", known, ok)
	}
	// The next publication goes on from there.
	if _, err := again.reg.Publish(t.Context(), s.key, s.current(again)); err != nil {
		t.Fatal(err)
	}
	if got, _ := again.reg.Known(s.id); got.Record.Sequence != 6 {
		t.Errorf("sequence after the restart = %d, want 6", got.Record.Sequence)
	}
}

// TestRestartWithoutSeeds stops every seed, restarts a node, and has it find the mesh through a
// peer it remembers.
func TestRestartWithoutSeeds(t *testing.T) {
	seed := startNode(t)
	a, b := startNode(t, seed.info()), startNode(t, seed.info())
	s := newService(t, 1)
	a.publish(t, s)
	// The two know each other through the seed.
	until(t, "meeting", func() bool {
		if _, err := b.reg.Resolve(bounded(t, time.Second), s.id); err != nil {
			return false // the record is on its way
		}
		return slices.Contains(b.reg.Peers(), a.ID()) && slices.Contains(a.reg.Peers(), b.ID())
	})
	until(t, "remembering", func() bool {
		return slices.ContainsFunc(b.reg.peers.all(), func(p peer.AddrInfo) bool { return p.ID == a.ID() })
	})
	b.stop()
	seed.stop()
	gone := seed.info()
	b = startNodeWith(t, b.key, "/ip4/127.0.0.1/tcp/0", Config{Mesh: "farm", Datastore: b.ds, Seeds: []peer.AddrInfo{gone}, Limits: quick()})
	start := time.Now()
	answer := b.resolve(t, s.id)
	t.Logf("resolved %s after the restart, from %s", time.Since(start), answer.From)
	if answer.From != FromMesh || !slices.Contains(b.reg.Peers(), a.ID()) {
		t.Errorf("Lookup = from %s with peers %v, want from the mesh through %s", answer.From, b.reg.Peers(), a.ID())
	}
}

// TestSeedComesLater starts a node before its seed, then takes the seed away and brings it back.
func TestSeedComesLater(t *testing.T) {
	seed := startNode(t)
	at := seed.info()
	seed.stop()
	n := startNode(t, at)
	until(t, "a failed attempt", func() bool { s := n.reg.Status().Seeds; return len(s) == 1 && s[0].Failures > 1 && s[0].Err != nil })
	for range 2 {
		seed = startNodeWith(t, seed.key, at.Addrs[0].String(), Config{Mesh: "farm", Datastore: memory(), Limits: quick()})
		until(t, "connection to the seed", func() bool { return n.reg.Status().Seeds[0].Connected && len(n.reg.Peers()) == 1 })
		seed.stop()
		until(t, "loss of the seed", func() bool { return !n.reg.Status().Seeds[0].Connected })
	}
}

// TestOtherMesh has two meshes on the same hosts' network: they do not see each other.
func TestOtherMesh(t *testing.T) {
	a := startNode(t)
	b := startNodeWith(t, newService(t, randomSeed()).key, "/ip4/127.0.0.1/tcp/0",
		Config{Mesh: "campus", Datastore: memory(), Seeds: []peer.AddrInfo{a.info()}, Limits: quick()})
	until(t, "connection", func() bool { return online(b.Host, a.ID()) && b.reg.Status().Seeds[0].Connected })
	s := newService(t, 1)
	a.publish(t, s)
	if _, err := b.reg.Resolve(bounded(t, 5*time.Second), s.id); !errors.Is(err, ErrNotFound) {
		t.Errorf("Resolve in another mesh = %v, want %v", err, ErrNotFound)
	}
	if len(b.reg.Peers()) != 0 || b.reg.IsMember(a.ID()) {
		t.Errorf("Peers = %v, want none", b.reg.Peers())
	}
}

// TestUnanswered has a member that takes connections and never answers: acknowledgements and time
// stay honest.
func TestUnanswered(t *testing.T) {
	a := startNode(t)
	mute := startHost(t, newService(t, randomSeed()).key, "/ip4/127.0.0.1/tcp/0")
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	mute.SetStreamHandler(a.reg.proto, func(s network.Stream) {
		<-hold
		_ = s.Reset()
	})
	if err := mute.Connect(t.Context(), a.info()); err != nil {
		t.Fatal(err)
	}
	until(t, "meeting", func() bool { return len(a.reg.Peers()) == 1 })
	s := newService(t, 1)
	acks, err := a.reg.Publish(bounded(t, 500*time.Millisecond), s.key, s.current(a))
	if err != nil || acks != 0 {
		t.Errorf("Publish to a mute node = %d, %v, want 0 acknowledgements", acks, err)
	}
	start := time.Now()
	_, err = a.reg.Resolve(bounded(t, 300*time.Millisecond), newService(t, 2).id)
	if took := time.Since(start); err == nil || took > 2*time.Second {
		t.Errorf("Resolve = %v after %s", err, took)
	}
	// A node that does answer is not held up by it.
	b := startNode(t, a.info())
	until(t, "the record at the node that answers", func() bool {
		for _, p := range a.reg.Status().Published {
			if p.Acks == 1 {
				return true
			}
		}
		return false
	})
	start = time.Now()
	b.resolve(t, s.id)
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("Resolve beside a mute node took %s", took)
	}
}

// TestHung has a member that was good and hangs: lookups that pass it settle for what the others
// say.
func TestHung(t *testing.T) {
	a := startNode(t)
	b, c := startNode(t, a.info()), startNode(t, a.info())
	for _, n := range []*node{a, b, c} {
		n.awaitPeers(t, 2)
	}
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	c.reg.resetStreams()
	c.SetStreamHandler(c.reg.proto, func(s network.Stream) {
		<-hold
		_ = s.Reset()
	})
	s := newService(t, 1)
	acks, err := a.reg.Publish(bounded(t, time.Second), s.key, s.current(a))
	if err != nil || acks > 1 {
		t.Errorf("Publish = %d, %v, want 1 acknowledgement at the most", acks, err)
	}
	start := time.Now()
	b.resolve(t, s.id)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("Resolve beside a node that hangs took %s", took)
	}
}

// TestCollapse has many callers of one service at once, some of whom leave.
func TestCollapse(t *testing.T) {
	a := startNode(t)
	b := startNode(t, a.info())
	a.awaitPeers(t, 1)
	b.awaitPeers(t, 1)
	s := newService(t, 1)
	a.publish(t, s)
	b.stop()
	b = startNode(t, a.info()) // without the record that a brought
	b.awaitPeers(t, 1)
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if i%8 == 7 {
				cancel()
				_, err := b.reg.Resolve(ctx, s.id)
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Errorf("Resolve of a caller that left = %v", err)
				}
				return
			}
			if _, err := b.reg.Resolve(ctx, s.id); err != nil {
				t.Errorf("Resolve = %v", err)
			}
		})
	}
	wg.Wait()
	b.reg.mu.Lock()
	defer b.reg.mu.Unlock()
	if len(b.reg.flights) != 0 {
		t.Errorf("%d lookups left over", len(b.reg.flights))
	}
}

// TestFull fills the store that others use: own records still fit, what is there stays, strangers
// are refused.
func TestFull(t *testing.T) {
	limits := quick()
	limits.Records, limits.Known = 2, 2
	a := startNodeWith(t, newService(t, randomSeed()).key, "/ip4/127.0.0.1/tcp/0", Config{Mesh: "farm", Datastore: memory(), Limits: limits})
	b := startNode(t, a.info())
	a.awaitPeers(t, 1)
	b.awaitPeers(t, 1)
	for i := range byte(2) {
		if acks := b.publish(t, newService(t, i+1)); acks != 1 {
			t.Fatalf("Publish = %d acknowledgements, want 1", acks)
		}
	}
	if acks := b.publish(t, newService(t, 3)); acks != 0 {
		t.Errorf("Publish into a full store = %d acknowledgements, want 0", acks)
	}
	if acks := b.publish(t, newService(t, 1)); acks != 1 {
		t.Errorf("update of a stored record = %d acknowledgements, want 1", acks)
	}
	if acks := a.publish(t, newService(t, 4)); acks != 1 {
		t.Errorf("own record = %d acknowledgements, want 1", acks)
	}
	if got := a.reg.Status().Records; got != 3 {
		t.Errorf("%d records stored, want 3", got)
	}
	// The memory of what was resolved makes room; the own record stays.
	for i := range byte(3) {
		a.resolve(t, newService(t, i+1).id)
	}
	if _, ok := a.reg.known.get(newService(t, 4).id); !ok || len(a.reg.known.entries) != 2 {
		t.Errorf("own record known = %t among %d, want it among 2", ok, len(a.reg.known.entries))
	}
}

func TestClose(t *testing.T) {
	n := startNode(t)
	for range 2 {
		if err := n.reg.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	s := newService(t, 1)
	if _, err := n.reg.Resolve(bounded(t, time.Second), s.id); !errors.Is(err, ErrClosed) {
		t.Errorf("Resolve after Close = %v, want %v", err, ErrClosed)
	}
	if _, err := n.reg.Publish(bounded(t, time.Second), s.key, s.current(n)); !errors.Is(err, ErrClosed) {
		t.Errorf("Publish after Close = %v, want %v", err, ErrClosed)
	}
	if protos := n.Mux().Protocols(); slices.Contains(protos, ProtocolID("farm")) {
		t.Error("the host still speaks the registry's protocol")
	}
	for _, op := range []func() error{
		func() error { _, err := n.reg.store.Get(t.Context(), datastore.NewKey("/edg/x")); return err },
		func() error { return n.reg.store.Put(t.Context(), datastore.NewKey("/edg/x"), nil) },
		func() error { return n.reg.store.Delete(t.Context(), datastore.NewKey("/edg/x")) },
	} {
		if err := op(); !errors.Is(err, ErrClosed) {
			t.Errorf("datastore after Close = %v, want %v", err, ErrClosed)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	h := startHost(t, newService(t, randomSeed()).key, "/ip4/127.0.0.1/tcp/0")
	if _, err := New(t.Context(), h, Config{Mesh: "No Mesh"}); !errors.Is(err, ErrMesh) {
		t.Errorf("New = %v, want %v", err, ErrMesh)
	}
}

// TestBadDisk has junk where earlier runs stored records and peers: it is dropped and the node
// starts.
func TestBadDisk(t *testing.T) {
	ds := memory()
	for _, key := range []string{"/registry/farm/known/junk", "/registry/farm/peers/junk", "/registry/farm/known/" + newService(t, 1).id.String()} {
		if err := ds.Put(t.Context(), datastore.NewKey(key), []byte("junk")); err != nil {
			t.Fatal(err)
		}
	}
	n := startNodeWith(t, newService(t, randomSeed()).key, "/ip4/127.0.0.1/tcp/0", Config{Mesh: "farm", Datastore: ds, Limits: quick()})
	if has, _ := ds.Has(t.Context(), datastore.NewKey("/registry/farm/known/junk")); has || len(n.reg.known.entries) != 0 {
		t.Error("junk was kept")
	}
}

// BenchmarkResolve measures a lookup on three nodes in one process, with no record remembered at
// the asking node.
func BenchmarkResolve(b *testing.B) {
	first := startNode(b)
	second, third := startNode(b, first.info()), startNode(b, first.info())
	first.awaitPeers(b, 2)
	second.awaitPeers(b, 2)
	third.awaitPeers(b, 2)
	var services []service
	for i := range byte(100) {
		s := newService(b, i)
		if acks := second.publish(b, s); acks != 2 {
			b.Fatalf("%d acknowledgements", acks)
		}
		services = append(services, s)
	}
	var times []time.Duration
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		if answer := third.resolve(b, services[i%len(services)].id); answer.From != FromMesh {
			b.Fatal(answer.From)
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-us")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-us")
}

// TestNoMulticast starts where multicast DNS cannot: a host without addresses. That is a warning.
func TestNoMulticast(t *testing.T) {
	var log bytes.Buffer
	h, err := libp2p.New(libp2p.NoListenAddrs, libp2p.DisableMetrics(), libp2p.ResourceManager(&network.NullResourceManager{}))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	reg, err := New(t.Context(), h, Config{Mesh: "farm", EnableMDNS: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	defer reg.Close()
	if reg.Status().MDNS || !strings.Contains(log.String(), "level=WARN") {
		t.Errorf("MDNS = %t, log %q, want a warning", reg.Status().MDNS, log.String())
	}
}

// TestNeighbour has a peer announced on the local network: it is dialled once although the node is
// not alone.
func TestNeighbour(t *testing.T) {
	a, b, c := startNode(t), startNode(t), startNode(t)
	neighbours{a.reg}.HandlePeerFound(b.info())
	until(t, "meeting the first neighbour", func() bool { return slices.Contains(a.reg.Peers(), b.ID()) })
	neighbours{a.reg}.HandlePeerFound(c.info())
	until(t, "meeting the second neighbour", func() bool { return slices.Contains(a.reg.Peers(), c.ID()) })
}

// TestNoLeak joins and leaves a mesh again and again, with lookups that end early.
func TestNoLeak(t *testing.T) {
	a := startNode(t)
	h := startHost(t, newService(t, randomSeed()).key, "/ip4/127.0.0.1/tcp/0")
	once := func() {
		reg, err := New(t.Context(), h, Config{Mesh: "farm", Seeds: []peer.AddrInfo{a.info()}, Limits: quick(), Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		n := &node{Host: h, reg: reg}
		n.awaitPeers(t, 1)
		for i := range byte(5) {
			n.publish(t, newService(t, i))
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*100*time.Microsecond)
			_, _ = reg.Resolve(ctx, newService(t, 50+i).id)
			cancel()
		}
		if err := reg.Close(); err != nil {
			t.Fatal(err)
		}
	}
	once()
	before := runtime.NumGoroutine()
	for range 10 {
		once()
	}
	until(t, "end of all goroutines", func() bool { return runtime.NumGoroutine() <= before+3 })
}

func TestUsableAddrs(t *testing.T) {
	for text, want := range map[string]bool{
		"/ip4/192.168.1.7/tcp/7776":       true,
		"/ip4/127.0.0.1/udp/7776/quic-v1": true,
		"/dns4/seed.example/tcp/7776":     true,
		"/ip4/10.0.0.1/tcp/1/p2p/12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo/p2p-circuit": true,
		"/ip4/0.0.0.0/tcp/7776":                        false,
		"/ip6/::/udp/7776/quic-v1":                     false,
		"/ip4/224.0.0.251/udp/5353":                    false,
		"/ip4/10.0.0.1/tcp/0":                          false,
		"/ip4/10.0.0.1/udp/0/quic-v1":                  false,
		"/dns4/" + strings.Repeat("a", 300) + "/tcp/1": false,
	} {
		if got := len(usableAddrs([]ma.Multiaddr{ma.StringCast(text)})) == 1; got != want {
			t.Errorf("usableAddrs(%s) keeps it: %t, want %t", text, got, want)
		}
	}
	many := make([]ma.Multiaddr, 1000)
	for i := range many {
		many[i] = ma.StringCast("/ip4/10.0.0.1/tcp/7776")
	}
	if got := len(usableAddrs(many)); got != maxPeerAddrs {
		t.Errorf("usableAddrs keeps %d of 1000, want %d", got, maxPeerAddrs)
	}
}

// TestRemember has a crowd of new names: it cannot push out peers that are connected, and it is
// bounded.
func TestRemember(t *testing.T) {
	g, err := openPeers(t.Context(), memory(), 4, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	friend := testPeer(t, 1)
	addr := []ma.Multiaddr{ma.StringCast("/ip4/10.0.0.1/tcp/7776")}
	connected := func(p peer.ID) bool { return p == friend }
	for i := range byte(40) {
		if err := g.remember(t.Context(), peer.AddrInfo{ID: testPeer(t, i+1), Addrs: addr}, noon.Add(time.Duration(i)*time.Second), connected); err != nil {
			t.Fatal(err)
		}
	}
	again, err := openPeers(t.Context(), g.ds, 4, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var ids []peer.ID
	for _, info := range again.all() {
		ids = append(ids, info.ID)
	}
	if len(ids) != 4 || !slices.Contains(ids, friend) || !slices.Contains(ids, testPeer(t, 40)) {
		t.Errorf("remembered %d peers, friend among them %t, newest %t, want 4 with both",
			len(ids), slices.Contains(ids, friend), slices.Contains(ids, testPeer(t, 40)))
	}
}

func TestBackoff(t *testing.T) {
	for failures, want := range map[int]time.Duration{0: 1, 1: 1, 2: 2, 3: 4, 4: 8, 5: 10, 1000: 10} {
		got := backoff(time.Second, 10*time.Second, failures)
		if most := want * time.Second; got > most || got < most*4/5 {
			t.Errorf("backoff(%d) = %s, want %s less up to a fifth", failures, got, most)
		}
	}
}
