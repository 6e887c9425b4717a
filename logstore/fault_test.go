package logstore_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/logstore"
	"github.com/edgeistry/edgeistry/logstore/storetest"
	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
)

var errDisk = errors.New("input/output error")

// faulty fails one operation, the n-th of its kind, and then says that all is well again, as disks
// do.
type faulty struct {
	datastore.Batching
	kind  string // "batch", "put", "commit", "commit after writing", "sync"
	n     int64
	count atomic.Int64
	gate  chan struct{} // if not nil, Sync waits for it
}

func (f *faulty) fails(kind string) bool { return kind == f.kind && f.count.Add(1) == f.n }

func (f *faulty) Batch(ctx context.Context) (datastore.Batch, error) {
	if f.fails("batch") {
		return nil, errDisk
	}
	b, err := f.Batching.Batch(ctx)
	return &faultyBatch{b, f}, err
}

func (f *faulty) Sync(ctx context.Context, prefix datastore.Key) error {
	if f.gate != nil {
		<-f.gate
	}
	if f.fails("sync") {
		return errDisk
	}
	return f.Batching.Sync(ctx, prefix)
}

type faultyBatch struct {
	datastore.Batch
	f *faulty
}

func (b *faultyBatch) Put(ctx context.Context, key datastore.Key, value []byte) error {
	if b.f.fails("put") {
		return errDisk
	}
	return b.Batch.Put(ctx, key, value)
}

func (b *faultyBatch) Commit(ctx context.Context) error {
	if b.f.fails("commit") {
		return errDisk
	}
	if err := b.Batch.Commit(ctx); err != nil {
		return err
	}
	if b.f.fails("commit after writing") {
		return errDisk
	}
	return nil
}

// Whatever fails, and when: from then on nothing is acknowledged, Fatal is told once, and what was
// acknowledged is there.
func TestNothingIsAcknowledgedAfterAFailure(t *testing.T) {
	for _, kind := range []string{"batch", "put", "commit", "commit after writing", "sync"} {
		t.Run(kind, func(t *testing.T) {
			for n := range int64(40) {
				if t.Failed() { // one failure is enough, and where nothing fails each takes long
					return
				}
				failAt(t, &faulty{Batching: newMap(), kind: kind, n: n + 1})
			}
		})
	}
}

func failAt(t *testing.T, f *faulty) {
	t.Helper()
	fatal := make(chan error, 2)
	store, err := logstore.Open(t.Context(), f, logstore.Config{Logger: quiet(), Fatal: func(err error) { fatal <- err }})
	if err != nil {
		t.Fatal(err)
	}
	log, err := store.Log(t.Context(), events())
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var acks []ack
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for seq := uint64(1); ; seq++ {
				if seq > 500 { // many times what the failure needs
					t.Errorf("%s %d: 500 appends passed, so the store does not do it, or passes over its failure", f.kind, f.n)
					return
				}
				r, err := log.Append(t.Context(), logstore.AppendRequest{Producer: fmt.Sprint(w), ProducerSeq: seq, Payload: payload(w, seq)})
				if err != nil {
					if !errors.Is(err, logstore.ErrStopped) || !errors.Is(err, errDisk) {
						t.Errorf("%s %d: Append() = %v, want ErrStopped and the cause", f.kind, f.n, err)
					}
					break
				}
				mu.Lock()
				acks = append(acks, ack{w, seq, r})
				mu.Unlock()
			}
			if err := store.Put(t.Context(), "x", nil); !errors.Is(err, logstore.ErrStopped) {
				t.Errorf("%s %d: Put() after the failure = %v, want ErrStopped", f.kind, f.n, err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		store.Close()
		return
	}
	if err := <-fatal; !errors.Is(err, errDisk) {
		t.Errorf("Fatal(%v), want the cause", err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
	if len(fatal) > 0 {
		t.Error("Fatal was called twice")
	}
	again, err := logstore.Open(t.Context(), f.Batching, logstore.Config{Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	log, err = again.Log(t.Context(), events())
	if err != nil {
		t.Fatal(err)
	}
	if len(acks) > 0 {
		checkAcks(t, log, acks)
	}
}

func TestAllWaitingAppendsGetTheError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faulty{Batching: newMap(), kind: "sync", n: 1, gate: make(chan struct{})}
		store, err := logstore.Open(t.Context(), f, logstore.Config{Logger: quiet(), MaxWaiting: 4, MaxGroup: 2})
		if err != nil {
			t.Fatal(err)
		}
		log, err := store.Log(t.Context(), events())
		if err != nil {
			t.Fatal(err)
		}
		results := make(chan error, 20)
		for range cap(results) {
			go func() {
				_, err := log.Append(t.Context(), logstore.AppendRequest{})
				results <- err
			}()
		}
		synctest.Wait() // one or two in the group, four in the queue, the others outside
		if log.Head() != (edgeistry.Head{}) || len(results) > 0 {
			t.Error("an append shows before it is synced")
		}
		close(f.gate)
		for range cap(results) {
			if err := <-results; !errors.Is(err, logstore.ErrStopped) {
				t.Errorf("Append() = %v, want ErrStopped", err)
			}
		}
		if log.Head() != (edgeistry.Head{}) {
			t.Errorf("Head() = %+v after a failed sync", log.Head())
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestFatalMayClose(t *testing.T) {
	f := &faulty{Batching: newMap(), kind: "sync", n: 1}
	closed := make(chan error, 1)
	var store *logstore.Store
	store, err := logstore.Open(t.Context(), f, logstore.Config{Logger: quiet(), Fatal: func(error) { closed <- store.Close() }})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Put(t.Context(), "x", nil); !errors.Is(err, logstore.ErrStopped) {
		t.Fatalf("Put() = %v", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

func TestAppendGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faulty{Batching: newMap(), gate: make(chan struct{})}
		store, err := logstore.Open(t.Context(), f, logstore.Config{Logger: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		log, err := store.Log(t.Context(), events())
		if err != nil {
			t.Fatal(err)
		}
		r := logstore.AppendRequest{Producer: "p", ProducerSeq: 1, Payload: []byte("x")}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := log.Append(ctx, r); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Append() = %v, want the deadline", err)
		}
		if _, err := log.Append(ctx, r); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Append() with a context that is over = %v", err)
		}
		close(f.gate)
		// The retry settles what became of the first.
		if got, err := log.Append(t.Context(), r); err != nil || got.Place.Sequence != 1 || log.Head().Sequence != 1 {
			t.Errorf("retry = %+v, %v, head %+v", got, err, log.Head())
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Closing while many append: each append is either on disk or refused, and none hangs.
func TestCloseWhileAppending(t *testing.T) {
	for range 50 {
		ds := newMap()
		store, err := logstore.Open(t.Context(), ds, logstore.Config{Logger: quiet(), MaxWaiting: 2, MaxGroup: 2})
		if err != nil {
			t.Fatal(err)
		}
		log, err := store.Log(t.Context(), events())
		if err != nil {
			t.Fatal(err)
		}
		var ok atomic.Int64
		var wg sync.WaitGroup
		begun := make(chan struct{}, writers)
		for range writers {
			wg.Go(func() {
				for first := true; ; first = false {
					_, err := log.Append(t.Context(), logstore.AppendRequest{})
					if first {
						begun <- struct{}{}
					}
					if err != nil {
						if !errors.Is(err, logstore.ErrClosed) {
							t.Errorf("Append() = %v, want ErrClosed", err)
						}
						return
					}
					ok.Add(1)
				}
			})
		}
		<-begun
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if got := int64(log.Head().Sequence); got != ok.Load() {
			t.Errorf("head at %d, %d acknowledged", got, ok.Load())
		}
	}
}

// damage: a store of all kinds of values, in which one value is changed.
func filled(t *testing.T) (*datastore.MapDatastore, string) {
	t.Helper()
	ds := datastore.NewMapDatastore()
	store, err := logstore.Open(t.Context(), ds, logstore.Config{Logger: quiet(), Now: func() time.Time { return time.UnixMilli(1e12) }})
	if err != nil {
		t.Fatal(err)
	}
	log, err := store.Log(t.Context(), events())
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(3) {
		if _, err := log.Append(t.Context(), logstore.AppendRequest{Producer: "p", ProducerSeq: i, Payload: payload(0, i)}); err != nil {
			t.Fatal(err)
		}
	}
	copied, err := store.Log(t.Context(), logstore.LogID{Service: storetest.Service(), Name: "copied"})
	if err != nil {
		t.Fatal(err)
	}
	for _, first := range []edgeistry.Place{{Incarnation: 1, Sequence: 2}, {Incarnation: 1, Sequence: 5}, {Incarnation: 4, Sequence: 2}} {
		if _, err := copied.Mirror(t.Context(), edgeistry.Hash{9}, first, [][]byte{[]byte("a"), []byte("b")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Put(t.Context(), "setting", []byte("on")); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return ds, contents(t, ds)
}

// contents reads everything and shows it. What does not verify shows as damage; then an append to
// that log must fail.
func contents(t *testing.T, ds datastore.Batching) string {
	t.Helper()
	store, err := logstore.Open(t.Context(), ds, logstore.Config{Logger: quiet()})
	if err != nil {
		return "damage: " + err.Error()
	}
	defer store.Close()
	all := ""
	for _, name := range []string{"copied", "events"} {
		log, err := store.Log(t.Context(), logstore.LogID{Service: storetest.Service(), Name: name})
		if err != nil {
			all += "damage: " + err.Error()
			continue
		}
		all += fmt.Sprintf("%s %+v:", name, log.Head())
		for at := (edgeistry.Place{}); ; {
			entries, err := log.After(t.Context(), at, 1)
			var corrupt *logstore.CorruptError
			if errors.As(err, &corrupt) {
				if corrupt.Log != log.ID() {
					t.Errorf("%v is reported as of %s", err, log.ID())
				}
				if _, err := log.Append(t.Context(), logstore.AppendRequest{}); !errors.As(err, &corrupt) {
					t.Errorf("Append to a corrupt log = %v", err)
				}
				all += "damage: " + err.Error()
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(entries) == 0 {
				break
			}
			all += fmt.Sprintf(" %+v", entries[0])
			at = entries[0].Place
		}
		if name == "events" && log.Err() == nil { // a retry must still be known as one
			r, err := log.Append(t.Context(), logstore.AppendRequest{Producer: "p", ProducerSeq: 2, Payload: payload(0, 2)})
			all += fmt.Sprintf(" retry %v", r.Place)
			if err != nil {
				all += "damage: " + err.Error()
			}
		}
	}
	value, err := store.Get(t.Context(), "setting")
	if err != nil {
		return all + "damage: " + err.Error()
	}
	return all + " setting " + string(value)
}

// TestADropThatWasCutShortIsMadeUpFor stops the store at each write of a drop. After the next start
// the log is there whole, or gone with every key, and its number is not used again.
func TestADropThatWasCutShortIsMadeUpFor(t *testing.T) {
	id := logstore.LogID{Service: storetest.Service(), Name: "events"}
	for _, kind := range []string{"commit", "commit after writing", "sync"} {
		for n := int64(1); ; n++ {
			ds := newMap()
			disk := &faulty{Batching: ds, kind: kind, n: n}
			store, err := logstore.Open(t.Context(), ds, logstore.Config{Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			l, err := store.Log(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			for range 5 {
				if _, err := l.Append(t.Context(), logstore.AppendRequest{Payload: []byte("old")}); err != nil {
					t.Fatal(err)
				}
			}
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
			store, err = logstore.Open(t.Context(), disk, logstore.Config{Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			dropped := store.Drop(t.Context(), id)
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
			store, err = logstore.Open(t.Context(), ds, logstore.Config{Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatalf("%s %d: open after it: %v", kind, n, err)
			}
			if l, err = store.Log(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			if store.Has(id) {
				if got, err := l.Last(t.Context(), 10); err != nil || len(got) != 5 {
					t.Errorf("%s %d: half of the log is there: %d entries, %v", kind, n, len(got), err)
				}
			} else {
				if r, err := l.Append(t.Context(), logstore.AppendRequest{Payload: []byte("new")}); err != nil || r.Place.Sequence != 1 {
					t.Errorf("%s %d: the log made anew begins at %+v, %v", kind, n, r.Place, err)
				}
				keys, err := ds.Query(t.Context(), query.Query{Prefix: "/logs/e", KeysOnly: true})
				if err != nil {
					t.Fatal(err)
				}
				if left, err := keys.Rest(); err != nil || len(left) != 1 {
					t.Errorf("%s %d: %d entries are on disk, %v, want the new one alone", kind, n, len(left), err)
				}
			}
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
			if dropped == nil { // it came through: no write was left to fail
				break
			}
		}
	}
}
