package node

import (
	"bytes"
	"crypto/rand"
	"testing"

	"github.com/edgeistry/edgeistry/capability"
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
	record, err := n.store.Get(t.Context(), "counts/"+h.Keys.Own().ID.String())
	if id := (capability.Identity{}); err != nil || !bytes.HasPrefix(record, id[:]) {
		t.Errorf("cell 0 after the epoch: %x, %v", record, err)
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
