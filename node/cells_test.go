package node

import (
	"context"
	"crypto/rand"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/logstore"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
)

// counting mints a capability of a branch whose every request is counted.
func counting(t *testing.T, k *state.ServiceKey, branch uint8, c capability.Count) *capability.Capability {
	t.Helper()
	frame, err := (&capability.FrameSpec{Limits: []capability.Limit{{Type: capability.TypeCount, Count: c}}}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	h := capability.Header{Branch: branch, Hint: k.ID.Hint(), Epoch: k.Epoch, Generation: k.Generations[branch]}
	if _, err := rand.Read(h.Nonce[:]); err != nil {
		t.Fatal(err)
	}
	made, err := capability.Mint(k.ID, k.EpochKey.Branch(k.Epoch, branch, h.Generation), h, frame)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// TestCounts reserves a cell of the node's own service, spends the count, and finds it spent after a restart.
func TestCounts(t *testing.T) {
	h := testHome(t, nil)
	n, c := startNode(t, h)
	with := counting(t, h.Keys.Own(), 2, capability.Count{N: 3, Cell: 1})
	if _, err := c.Append(t.Context(), api.AppendRequest{Log: "events", Payload: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	want := func(what string, c *api.Client, reason capability.Reason) {
		t.Helper()
		res, err := c.Call(t.Context(), api.CallRequest{Service: "node", Method: "POST", Path: "/l/events", Payload: []byte("y"), Capability: with.Text()})
		if err != nil || res.Reason != uint8(reason) || !res.Tagged {
			t.Fatalf("%s: %+v, %v; want reason %d", what, res, err, reason)
		}
	}
	want("before it is reserved", c, capability.ReasonNotEvaluable)
	for _, reserved := range []bool{true, false} { // the second time it counts for this capability already
		res, err := c.Reserve(t.Context(), api.ReserveRequest{Capability: with.Text()})
		if err != nil || len(res.Cells) != 1 || res.Cells[0] != (api.Cell{Frame: 1, Cell: 1, Times: 3, Reserved: reserved}) {
			t.Fatalf("reserve: %+v, %v", res, err)
		}
		want("once it is reserved", c, capability.ReasonNone)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	h, err := state.Open(h.Dir())
	if err != nil {
		t.Fatal(err)
	}
	_, c = startNode(t, h)
	want("the third request, after a restart", c, capability.ReasonNone)
	want("the fourth", c, capability.ReasonDenied)
	manage := func(path string, payload []byte, want capability.Reason) {
		t.Helper()
		res, err := c.Call(t.Context(), api.CallRequest{Service: "node", Method: "POST", Path: path, Payload: payload})
		if err != nil || res.Reason != uint8(want) || !res.Tagged {
			t.Fatalf("POST %s %x: %+v, %v; want reason %d", path, payload, res, err, want)
		}
	}
	manage("/n", with.Identity().Reserve(capability.MaxCells), capability.ReasonArgument)
	manage("/n", []byte{1}, capability.ReasonArgument)
	manage("/n", capability.Identity{}.Reserve(1), capability.ReasonNone)
	want("after its cell is freed", c, capability.ReasonNotEvaluable)
	if res, err := c.Call(t.Context(), api.CallRequest{
		Service: "node", Method: "POST", Path: "/n", Payload: with.Identity().Reserve(1), Capability: minted(t, h.Keys.Own(), 2, capability.Manage),
	}); err != nil || res.Reason != uint8(capability.ReasonDenied) {
		t.Errorf("another branch than the owner's reserves: %+v, %v; want reason 11", res, err)
	}
}

// TestCountsEndWithEpoch frees the cells when the epoch ends.
func TestCountsEndWithEpoch(t *testing.T) {
	h := testHome(t, nil)
	n, c := startNode(t, h)
	if _, err := c.Reserve(t.Context(), api.ReserveRequest{Capability: counting(t, h.Keys.Own(), 2, capability.Count{N: 3}).Text()}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Revoke(t.Context(), api.RevokeRequest{Capability: state.OwnCapability, Epoch: true}); err != nil {
		t.Fatal(err)
	}
	kept, err := openCells(t.Context(), n.store, h.Keys.Own().ID)
	if err != nil || kept.all[0].id != (capability.Identity{}) {
		t.Errorf("cell 0 after the epoch: %+v, %v", kept, err)
	}
}

// TestMirrorCounts asks a mirror, which has no cells.
func TestMirrorCounts(t *testing.T) {
	h := testHome(t, nil)
	_, c := startNode(t, h)
	with := counting(t, h.Keys.Own(), capability.BranchMirror, capability.Count{N: 3})
	if _, err := c.Reserve(t.Context(), api.ReserveRequest{Capability: with.Text()}); err != nil {
		t.Fatal(err) // of the service itself; the mirror does not share its cells
	}
	res, err := c.Call(t.Context(), api.CallRequest{Service: "node", Method: "GET", Path: "/l/events", Capability: with.Text(), Mirror: true})
	if err != nil || res.Reason != uint8(capability.ReasonNotEvaluable) || !res.Tagged {
		t.Errorf("a count at the mirror: %+v, %v; want reason 12", res, err)
	}
}

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
	s, err := logstore.Open(t.Context(), d, logstore.Config{Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// counted is a service with counts on one store and its logs on another, asked without a network.
type counted struct {
	*hosted
	t    *testing.T
	with *capability.Capability
	call *client.Caller
}

func newCounted(t *testing.T, k *state.ServiceKey, counts, logs *logstore.Store, with *capability.Capability) *counted {
	t.Helper()
	kept, err := openCells(t.Context(), counts, k.ID)
	if err != nil {
		t.Fatal(err)
	}
	guard, err := newGuard(k, verifier{boot: 1, counts: kept})
	if err != nil {
		t.Fatal(err)
	}
	s := &hosted{
		id: k.ID, store: logs, clock: clock{time.Now()}, log: quiet(), direct: guard,
		manifest: func() edgeistry.Manifest { return edgeistry.Manifest{Logs: []edgeistry.LogInfo{{Name: "events"}}} },
	}
	return &counted{s, t, with, client.New(client.Config{})}
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
	l, err := c.store.Log(c.t.Context(), logstore.LogID{Service: c.id, Name: "events"})
	if err != nil {
		c.t.Fatal(err)
	}
	return l.Head().Sequence
}

// TestCountBeforeActing stops between the count and the act: the count is spent, and stays so.
func TestCountBeforeActing(t *testing.T) {
	d := &disk{Batching: dssync.MutexWrap(datastore.NewMapDatastore())}
	k, err := state.NewServiceKey()
	if err != nil {
		t.Fatal(err)
	}
	with := counting(t, k, 2, capability.Count{N: 1})
	store := openStore(t, d)
	s := newCounted(t, k, store, store, with)
	if r := s.direct.Reserve(0, with.Identity()); r != capability.ReasonNone {
		t.Fatal(r)
	}
	admitted := 0
	s.manifest = func() edgeistry.Manifest { // asked by the act, after the verdict: the power fails here
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
	k, err := state.NewServiceKey()
	if err != nil {
		t.Fatal(err)
	}
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
