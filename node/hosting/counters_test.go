package hosting

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/logstore"
)

// disk is a datastore whose writes fail once it is told to.
type disk struct {
	datastore.Batching
	full atomic.Bool
}

var errFull = errors.New("no space left on device")

func (d *disk) Batch(ctx context.Context) (datastore.Batch, error) {
	b, err := d.Batching.Batch(ctx)
	return &diskBatch{b, d}, err
}

type diskBatch struct {
	datastore.Batch
	disk *disk
}

func (b *diskBatch) Commit(ctx context.Context) error {
	if b.disk.full.Load() {
		return errFull
	}
	return b.Batch.Commit(ctx)
}

func openStore(t *testing.T, d *disk) *logstore.Store {
	t.Helper()
	s, err := logstore.Open(t.Context(), d, logstore.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// counted is a service with counts on one store and its logs on another, asked without a network.
type counted struct {
	*Service
	t    *testing.T
	with *capability.Capability
	call *client.Caller
}

func newCounted(t *testing.T, k Key, counts, logs *logstore.Store, with *capability.Capability) *counted {
	t.Helper()
	kept, err := openCounters(t.Context(), counts, k.ID)
	if err != nil {
		t.Fatal(err)
	}
	cfg := testConfig(logs)
	guard, err := newGuard(k, cfg, kept)
	if err != nil {
		t.Fatal(err)
	}
	return &counted{&Service{cfg: cfg, id: k.ID, direct: guard}, t, with, client.New(client.Config{})}
}

// append adds an entry, and says why not.
func (c *counted) append() capability.Reason {
	c.t.Helper()
	m, err := coap.NewRequest(coap.CodePOST, "/l/events", nil, []byte("x"))
	if err != nil {
		c.t.Fatal(err)
	}
	via := coap.DoerFunc(func(ctx context.Context, req *coap.Message) (*coap.Message, error) {
		req = req.Clone()
		req.Remove(coap.OptionURIHost)
		return c.ServeCoAP(ctx, coap.Source{}, req), nil
	})
	_, err = c.call.Call(c.t.Context(), via, c.with, client.Request{Message: m})
	var denied *client.Denied
	if errors.As(err, &denied) {
		if !denied.ByDevice {
			c.t.Errorf("refused without proof: %v", err)
		}
		return denied.Reason
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return capability.ReasonNone
}

func (c *counted) entries() uint32 {
	c.t.Helper()
	l, err := c.cfg.Store.Log(c.t.Context(), logstore.LogID{Service: c.id, Name: "events"})
	if err != nil {
		c.t.Fatal(err)
	}
	return l.Head().Sequence
}

// TestCountBeforeActing stops between the count and the act: the count is spent, and stays so.
func TestCountBeforeActing(t *testing.T) {
	d := &disk{Batching: dssync.MutexWrap(datastore.NewMapDatastore())}
	k := newKey(t)
	with := counting(t, k, 2, capability.Count{N: 1})
	store := openStore(t, d)
	s := newCounted(t, k, store, store, with)
	if r := s.direct.Reserve(0, with.Identity()); r != capability.ReasonNone {
		t.Fatal(r)
	}
	admitted := 0
	s.cfg.Manifest = func() edgeistry.Manifest { // asked by the act, after the verdict: the power fails here
		admitted++
		return edgeistry.Manifest{}
	}
	if r := s.append(); r != capability.ReasonNotFound || admitted != 1 || s.entries() != 0 {
		t.Fatalf("the act that did not come about: reason %d, admitted %d times, %d entries", r, admitted, s.entries())
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	store = openStore(t, d)
	s = newCounted(t, k, store, store, with)
	if r := s.append(); r != capability.ReasonDenied || s.entries() != 0 {
		t.Errorf("after the start: reason %d, %d entries; want 11 and none", r, s.entries())
	}
}

// TestCountOnFullDisk refuses what it cannot count, and does not act.
func TestCountOnFullDisk(t *testing.T) {
	d := &disk{Batching: dssync.MutexWrap(datastore.NewMapDatastore())}
	k := newKey(t)
	with := counting(t, k, 2, capability.Count{N: 2})
	logs := openStore(t, &disk{Batching: dssync.MutexWrap(datastore.NewMapDatastore())})
	s := newCounted(t, k, openStore(t, d), logs, with)
	if r := s.direct.Reserve(0, with.Identity()); r != capability.ReasonNone {
		t.Fatal(r)
	}
	if r := s.append(); r != capability.ReasonNone || s.entries() != 1 {
		t.Fatalf("on a good disk: reason %d, %d entries", r, s.entries())
	}
	d.full.Store(true)
	if r := s.append(); r != capability.ReasonStorage || s.entries() != 1 {
		t.Errorf("on a full disk: reason %d, %d entries; want 26 and 1", r, s.entries())
	}
	if r := s.direct.Reserve(1, with.Identity()); r != capability.ReasonStorage {
		t.Errorf("Reserve on a full disk = %d, want 26", r)
	}
	d.full.Store(false)
	s = newCounted(t, k, openStore(t, d), logs, with)
	if r := s.append(); r != capability.ReasonNone || s.entries() != 2 {
		t.Errorf("after a start on a good disk: reason %d, %d entries", r, s.entries())
	}
	if r := s.append(); r != capability.ReasonDenied {
		t.Errorf("the third: reason %d, want 11", r)
	}
}
