package dht

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
	"github.com/libp2p/go-libp2p/core/peer"
)

// copied returns a copy of a datastore, as somebody makes who copies a state directory.
func copied(t *testing.T, ds datastore.Batching) datastore.Batching {
	t.Helper()
	out := memory()
	results, err := ds.Query(t.Context(), query.Query{})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := results.Rest()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := out.Put(t.Context(), datastore.RawKey(e.Key), e.Value); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestTwin runs two nodes with one identity beside a third: each notices the other, once, and
// forgets nothing of it while it is there.
func TestTwin(t *testing.T) {
	seed := startNode(t)
	key := newService(t, randomSeed()).key
	s := newService(t, 1)
	limits := quick()
	limits.TwinTime = 20 * time.Millisecond
	type one struct {
		n    *node
		log  *logBuffer
		told atomic.Int32
	}
	start := func(ds datastore.Batching) *one {
		x := &one{log: &logBuffer{}}
		x.n = startNodeWith(t, key, "/ip4/127.0.0.1/tcp/0", Config{
			Mesh: "farm", Datastore: ds, Seeds: []peer.AddrInfo{seed.info()}, Limits: limits,
			Logger: slog.New(slog.NewTextHandler(x.log, nil)), Twin: func() { x.told.Add(1) },
		})
		x.n.awaitPeers(t, 1)
		x.n.publish(t, s)
		return x
	}
	original := start(memory())
	if _, ok := original.n.reg.Twin(); ok {
		t.Error("a node alone has a twin")
	}
	double := start(copied(t, original.n.ds))
	until(t, "the original notices the copy", func() bool { _, ok := original.n.reg.Twin(); return ok })
	until(t, "the original tells its node", func() bool { return original.told.Load() == 1 })
	twin, _ := original.n.reg.Twin()
	if len(twin.Addrs) == 0 || !twin.Addrs[0].Equal(double.n.Addrs()[0]) {
		t.Errorf("the copy is noticed at %v, want %v", twin.Addrs, double.n.Addrs())
	}
	original.n.publish(t, s) // as its node does when it is told
	until(t, "the copy notices the original", func() bool { _, ok := double.n.reg.Twin(); return ok })
	if got := strings.Count(original.log.String(), "another node runs with this node's identity"); got != 1 {
		t.Errorf("the log names the copy %d times, want once", got)
	}
}

// TestNoTwin has what looks like a twin and is none: a node that was restored from an older state,
// so that the mesh knows newer records of it, and a second home of a service.
func TestNoTwin(t *testing.T) {
	seed := startNode(t)
	limits := quick()
	limits.TwinTime = 10 * time.Millisecond
	key := newService(t, randomSeed()).key
	s := newService(t, 1)
	a := startNodeWith(t, key, "/ip4/127.0.0.1/tcp/0", Config{Mesh: "farm", Datastore: memory(), Seeds: []peer.AddrInfo{seed.info()}, Limits: limits})
	a.awaitPeers(t, 1)
	for range 3 {
		a.publish(t, s)
	}
	a.stop()
	// The state is lost, and the clock of the next run is a minute later.
	later := func() time.Time { return time.Now().Add(time.Minute) }
	a = startNodeWith(t, key, "/ip4/127.0.0.1/tcp/0", Config{Mesh: "farm", Datastore: memory(), Limits: limits, now: later})
	a.publish(t, s) // alone: nobody refuses it
	if err := a.Connect(t.Context(), seed.info()); err != nil {
		t.Fatal(err)
	}
	a.awaitPeers(t, 1)
	a.publish(t, s)
	other := startNode(t, seed.info())
	other.awaitPeers(t, 1)
	other.publish(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 20*limits.TwinTime)
	defer cancel()
	a.reg.seekTwin(ctx)
	if twin, ok := a.reg.Twin(); ok {
		t.Errorf("a restored node has a twin: %+v", twin)
	}
}
