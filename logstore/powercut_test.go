package logstore_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/edgeistry/edgeistry/logstore"
	"github.com/ipfs/go-datastore"
)

// Power cuts on a file system in memory that keeps what was synced and a random share of the rest.
// Writers go on while the power is cut; nothing acknowledged before the cut is lost.
func TestPowerCutLosesNothing(t *testing.T) {
	cuts, acks, lost := powerCuts(t, rounds(t, 200), func(ds datastore.Batching) datastore.Batching { return ds })
	t.Logf("%d cuts, %d acknowledgements", cuts, acks)
	if lost > 0 || acks == 0 {
		t.Errorf("%d of %d acknowledged entries are lost", lost, acks)
	}
}

// The test above is worth something only if it sees the loss that leaving out the sync makes.
func TestPowerCutWithoutSyncLoses(t *testing.T) {
	if _, acks, lost := powerCuts(t, 20, func(ds datastore.Batching) datastore.Batching { return unsynced{ds} }); lost == 0 {
		t.Errorf("none of %d acknowledged entries is lost without a sync", acks)
	}
}

// unsynced says that it synced.
type unsynced struct{ datastore.Batching }

func (unsynced) Sync(context.Context, datastore.Key) error { return nil }

// powerCuts cuts n times, over several lives of one store.
func powerCuts(t *testing.T, n int, wrap func(datastore.Batching) datastore.Batching) (cuts, acknowledged, lost int) {
	t.Helper()
	const cutsPerLife = 20
	rng := rand.New(rand.NewPCG(7, 8))
	disk := vfs.NewCrashableMem()
	seqs := make([]uint64, writers)
	var acks []ack // of all lives
	for cuts < n {
		life := startLife(t, disk, wrap, seqs)
		for i := range cutsPerLife {
			life.more(1 + rng.IntN(60))
			before := append(acks[:len(acks):len(acks)], life.acked()...)
			crashed := disk.CrashClone(vfs.CrashCloneCfg{
				UnsyncedDataPercent: []int{0, 25, 75, 100}[rng.IntN(4)],
				RNG:                 rand.New(rand.NewPCG(rng.Uint64(), 0)),
			})
			cuts++
			recent := before
			if cuts < n && len(before) > 60 {
				recent = before[len(before)-60:] // all of them after the last cut
			}
			if i == cutsPerLife-1 { // go on from a copy; what was acknowledged after the cut never was
				next := crashed.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(0, 0))})
				life.end()
				acks, disk = before, next
				for _, a := range life.acked() {
					seqs[a.writer] = max(seqs[a.writer], a.seq)
				}
			}
			lost += lostAfter(t, crashed, recent)
			if lost > 0 || life.broken() {
				life.end()
				return cuts, len(before), lost
			}
		}
	}
	return cuts, len(acks), lost
}

// smallPebble fills its tables and log files fast, so that cuts hit their changes too.
func smallPebble(disk *vfs.MemFS) logstore.PebbleConfig {
	return logstore.PebbleConfig{FS: disk, Logger: quiet(), MemTableBytes: 64 << 10, CacheBytes: 256 << 10}
}

// life is a store at work between two power cuts.
type life struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup
	close  func()
	orders chan struct{} // one for each append that a writer may begin

	mu      sync.Mutex
	moved   *sync.Cond
	acks    []ack
	ordered int
	failed  bool
}

func startLife(t *testing.T, disk *vfs.MemFS, wrap func(datastore.Batching) datastore.Batching, seqs []uint64) *life {
	t.Helper()
	ds, closer, err := smallPebble(disk).Open("data")
	if err != nil {
		t.Fatal(err)
	}
	store, err := logstore.Open(t.Context(), wrap(ds), logstore.Config{Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	log, err := store.Log(t.Context(), events())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	l := &life{cancel: cancel, orders: make(chan struct{}, 100)}
	l.moved = sync.NewCond(&l.mu)
	l.close = sync.OnceFunc(func() {
		store.Close()
		closer.Close()
	})
	for w := range writers {
		l.wg.Go(func() {
			for seq := seqs[w] + 1; ; seq++ {
				select {
				case <-l.orders:
				case <-ctx.Done():
					return
				}
				r, err := log.Append(ctx, logstore.AppendRequest{Producer: fmt.Sprint(w), ProducerSeq: seq, Payload: payload(w, seq)})
				if err != nil {
					if ctx.Err() == nil {
						t.Errorf("Append() = %v", err)
						l.mu.Lock()
						l.failed = true
						l.moved.Broadcast()
						l.mu.Unlock()
					}
					return
				}
				l.mu.Lock()
				l.acks = append(l.acks, ack{w, seq, r})
				l.moved.Broadcast()
				l.mu.Unlock()
			}
		})
	}
	return l
}

// more orders n appends and waits until all but a few are acknowledged: those are under way when
// the power goes.
func (l *life) more(n int) {
	l.mu.Lock()
	l.ordered += n
	want := l.ordered - writers/2
	l.mu.Unlock()
	for range n {
		l.orders <- struct{}{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.acks) < want && !l.failed {
		l.moved.Wait()
	}
}

func (l *life) broken() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

func (l *life) acked() []ack {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]ack(nil), l.acks...)
}

func (l *life) end() {
	l.cancel()
	l.wg.Wait()
	l.close()
}

// lostAfter opens what a power cut left and counts what is missing.
func lostAfter(t *testing.T, disk *vfs.MemFS, acks []ack) int {
	t.Helper()
	ds, closer, err := smallPebble(disk).Open("data")
	if err != nil {
		t.Fatalf("open after a power cut: %v", err)
	}
	defer closer.Close()
	store, err := logstore.Open(t.Context(), ds, logstore.Config{Logger: quiet()})
	if err != nil {
		t.Fatalf("open after a power cut: %v", err)
	}
	defer store.Close()
	log, err := store.Log(t.Context(), events())
	if err != nil {
		t.Fatalf("open after a power cut: %v", err)
	}
	lost := 0
	for _, a := range acks {
		entries, err := log.Read(t.Context(), a.receipt.Place.Incarnation, a.receipt.Place.Sequence, 1)
		if err != nil || len(entries) != 1 || entries[0].Hash != a.receipt.Hash || string(entries[0].Payload) != string(payload(a.writer, a.seq)) {
			lost++
		}
	}
	return lost
}
