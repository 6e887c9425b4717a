package node

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/denylist"
	"github.com/edgeistry/edgeistry/logstore"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
)

// TestHostedRefuses asks the node's own service for what it must not do.
func TestHostedRefuses(t *testing.T) {
	h := testHome(t, nil)
	n, c := startNode(t, h)
	if _, err := c.Append(t.Context(), api.AppendRequest{Log: "events", Payload: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		method, path string
		query        []string
		plain        bool
		payload      []byte
		want         string
		reason       capability.Reason
	}{
		{method: "GET", path: "/.well-known/core", plain: true, want: "2.05"},
		{method: "GET", path: "/l/events", plain: true, want: "4.01", reason: capability.ReasonNeedCapability},
		{method: "POST", path: "/k", plain: true, want: "4.03", reason: capability.ReasonClaimClosed},
		{method: "POST", path: "/h", plain: true, payload: []byte("short"), want: "4.00", reason: capability.ReasonMalformed},
		{method: "GET", path: "/l/nothing", want: "4.04", reason: capability.ReasonNotFound},
		{method: "GET", path: "/l/events", want: "2.05"},
		{method: "GET", path: "/l/events", query: []string{"s=1", "n=5"}, want: "2.05"},
		{method: "GET", path: "/l/events", query: []string{"s=9"}, want: "4.04", reason: capability.ReasonNotKept},
		{method: "GET", path: "/l/events", query: []string{"x=9"}, want: "4.02", reason: capability.ReasonBadOption},
		{method: "POST", path: "/f/valve", want: "4.04", reason: capability.ReasonNotFound},
		{method: "POST", path: "/t", payload: []byte{1}, want: "4.00", reason: capability.ReasonArgument},
		{method: "POST", path: "/g", payload: []byte{99, 1}, want: "4.00", reason: capability.ReasonArgument},
		{method: "POST", path: "/g", payload: []byte{3, 0}, want: "2.04"},
		{method: "POST", path: "/g", payload: []byte{3, 1}, want: "2.04"},
		{method: "POST", path: "/g", payload: []byte{3, 1}, want: "2.04"},
		{method: "POST", path: "/g", payload: []byte{3, 0}, want: "4.00", reason: capability.ReasonArgument},
		{method: "POST", path: "/n", payload: make([]byte, 9), want: "2.04"},
		{method: "POST", path: "/n", payload: make([]byte, 8), want: "4.00", reason: capability.ReasonArgument},
	} {
		t.Run(fmt.Sprint(tt.method, tt.path, tt.query), func(t *testing.T) {
			res, err := c.Call(t.Context(), api.CallRequest{Service: "node", Method: tt.method, Path: tt.path, Query: tt.query, Payload: tt.payload, Plain: tt.plain})
			if err != nil {
				t.Fatal(err)
			}
			if res.Code != tt.want || res.Reason != uint8(tt.reason) {
				t.Errorf("answer %s reason %d (%s), want %s reason %d", res.Code, res.Reason, res.Message, tt.want, tt.reason)
			}
		})
	}
	if m := n.ownManifest(); len(m.Logs) != 1 || m.Board != nodeBoard {
		t.Errorf("own manifest = %+v", m)
	}
}

// TestGenerations revokes a branch of the node's own service: what was minted in it ends at once, and stays ended after a restart.
func TestGenerations(t *testing.T) {
	h := testHome(t, nil)
	n, c := startNode(t, h)
	if _, err := c.Append(t.Context(), api.AppendRequest{Log: "events", Payload: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	reader, err := newReader(h.Keys.Own())
	if err != nil {
		t.Fatal(err)
	}
	read := func(c *api.Client) string {
		res, err := c.Call(t.Context(), api.CallRequest{Service: "node", Method: "GET", Path: "/l/events", Capability: reader.Text()})
		if err != nil {
			t.Fatal(err)
		}
		return res.Code
	}
	if got := read(c); got != "2.05" {
		t.Fatalf("reading before the revocation: %s", got)
	}
	res, err := c.Call(t.Context(), api.CallRequest{Service: "node", Method: "POST", Path: "/g", Payload: []byte{readerBranch, 1}})
	if err != nil || !res.OK() {
		t.Fatalf("raise the generation: %+v, %v", res, err)
	}
	if got := read(c); got != "4.03" {
		t.Errorf("reading after the revocation: %s, want 4.03", got)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if h, err = state.Open(h.Dir()); err != nil {
		t.Fatal(err)
	}
	_, c = startNode(t, h)
	if got := read(c); got != "4.03" {
		t.Errorf("reading after the restart: %s, want 4.03", got)
	}
}

// TestRangeFits asks for many large entries: an answer holds what fits, in order, and the next one goes on.
func TestRangeFits(t *testing.T) {
	h := testHome(t, nil)
	_, c := startNode(t, h)
	const entries, size = 5, 30_000
	for i := range entries {
		if _, err := c.Append(t.Context(), api.AppendRequest{Log: "events", Payload: []byte(strings.Repeat(fmt.Sprint(i), size))}); err != nil {
			t.Fatal(err)
		}
	}
	r, err := c.Read(t.Context(), api.ReadRequest{Log: "events", Capability: state.OwnCapability, From: 1})
	if err != nil || len(r.Entries) != entries {
		t.Fatalf("reading all by requests gave %d entries, %v", len(r.Entries), err)
	}
	for i, e := range r.Entries {
		if e.Sequence != uint32(i+1) || e.Payload[0] != byte('0'+i) {
			t.Errorf("entry %d is %d with %q", i, e.Sequence, e.Payload[:1])
		}
	}
}

// minted returns a capability of a branch of the node's own service.
func minted(t *testing.T, k *state.ServiceKey, branch uint8, ops capability.Operations) string {
	t.Helper()
	frame, err := (&capability.FrameSpec{Grants: []capability.Grant{{Operations: ops, Prefix: true}}}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	h := capability.Header{Branch: branch, Hint: k.ID.Hint(), Epoch: k.Epoch, Nonce: [4]byte{branch}}
	c, err := capability.Mint(k.ID, k.EpochKey.Branch(k.Epoch, branch, 0), h, frame)
	if err != nil {
		t.Fatal(err)
	}
	return c.Text()
}

// TestAppendMakesNoLog appends under another branch than the owner's: to what exists only.
func TestAppendMakesNoLog(t *testing.T) {
	h := testHome(t, nil)
	n, c := startNode(t, h)
	with := minted(t, h.Keys.Own(), 2, capability.Append)
	if _, err := c.Append(t.Context(), api.AppendRequest{Log: "events", Payload: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if r, err := c.Append(t.Context(), api.AppendRequest{Log: "events", Payload: []byte("y"), Capability: with}); err != nil || r.Sequence != 2 {
		t.Errorf("append to a log that exists: %+v, %v", r, err)
	}
	res, err := c.Call(t.Context(), api.CallRequest{Service: "node", Method: "POST", Path: "/l/another", Payload: []byte("x"), Capability: with})
	if err != nil || res.Reason != uint8(capability.ReasonNotFound) || !res.Tagged {
		t.Errorf("append to a new log: %+v, %v, want reason 18", res, err)
	}
	if _, err := c.Append(t.Context(), api.AppendRequest{Log: "another", Payload: []byte("x"), Capability: h.Keys.Own().Owner().Text()}); err != nil {
		t.Errorf("append of the owner to a new log: %v", err)
	}
	if len(n.ownManifest().Logs) != 2 {
		t.Errorf("logs %+v", n.ownManifest().Logs)
	}
}

// TestWaitEndsWithGeneration revokes a capability while a read under it waits: what is appended then is not for it. Where several prove the
// read, this holds for each.
func TestWaitEndsWithGeneration(t *testing.T) {
	h := testHome(t, nil)
	_, c := startNode(t, h)
	add := func() {
		if _, err := c.Append(t.Context(), api.AppendRequest{Log: "events", Payload: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	add()
	for sequence, proof := range []api.Proof{{}, {Also: []string{minted(t, h.Keys.Own(), 3, capability.Read)}}} {
		with := minted(t, h.Keys.Own(), 2+2*byte(sequence), capability.Read)
		read := make(chan *api.CallResult, 1)
		go func() {
			res, err := c.Call(t.Context(), api.CallRequest{
				Service: "node", Method: "GET", Path: "/l/events", Query: []string{fmt.Sprintf("a=1.%d", sequence+1), "w=20"}, Capability: with, Proof: proof,
			})
			if err != nil {
				t.Error(err)
			}
			read <- res
		}()
		time.Sleep(200 * time.Millisecond) // until the read waits; if it does not yet it is refused anyhow
		res, err := c.Call(t.Context(), api.CallRequest{Service: "node", Method: "POST", Path: "/g", Payload: []byte{2 + byte(sequence), 1}})
		if err != nil || !res.OK() {
			t.Fatalf("raise the generation: %+v, %v", res, err)
		}
		add()
		if res := <-read; res != nil && res.Reason != uint8(capability.ReasonGeneration) {
			t.Errorf("the read that waited: %+v, want reason 13", res)
		}
	}
}

// TestHostedDenied denies a capability of the node's own service: alone and as the second of two it gets no further, others go on.
func TestHostedDenied(t *testing.T) {
	h := testHome(t, nil)
	n, c := startNode(t, h)
	if _, err := c.Append(t.Context(), api.AppendRequest{Log: "events", Payload: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	key := h.Keys.Own()
	anna, carl := minted(t, key, 2, capability.Read), minted(t, key, 3, capability.Read)
	read := func(what, with string, proof api.Proof, want capability.Reason) {
		t.Helper()
		res, err := c.Call(t.Context(), api.CallRequest{Service: "node", Method: "GET", Path: "/l/events", Capability: with, Proof: proof})
		if err != nil || res.Reason != uint8(want) {
			t.Errorf("%s: %+v, %v, want reason %d", what, res, err, want)
		}
	}
	both := api.Proof{Also: []string{anna}}
	read("before", anna, api.Proof{}, capability.ReasonNone)
	read("both before", carl, both, capability.ReasonNone)
	denied, err := capability.Parse(anna)
	if err != nil {
		t.Fatal(err)
	}
	n.proxy.Deny(key.ID, []denylist.Fingerprint{denylist.Of(denied)})
	for range 2 {
		read("denied", anna, api.Proof{}, capability.ReasonDenyListed)
		read("denied second", carl, both, capability.ReasonDenyListed)
		read("denied and private", carl, api.Proof{Also: []string{anna}, Private: true}, capability.ReasonDenyListed)
		read("another", carl, api.Proof{}, capability.ReasonNone)
	}
}

// TestLargestEntry reads the largest entry by a request.
func TestLargestEntry(t *testing.T) {
	_, c := startNode(t, testHome(t, nil))
	if _, err := c.Append(t.Context(), api.AppendRequest{Log: "events", Payload: make([]byte, logstore.MaxPayload+1)}); api.KindOf(err) != api.Usage {
		t.Errorf("append of too much: %v, want usage", err)
	}
	if _, err := c.Append(t.Context(), api.AppendRequest{Log: "events", Payload: make([]byte, logstore.MaxPayload)}); err != nil {
		t.Fatal(err)
	}
	r, err := c.Read(t.Context(), api.ReadRequest{Log: "events", Capability: state.OwnCapability, From: 1})
	if err != nil || len(r.Entries) != 1 || len(r.Entries[0].Payload) != logstore.MaxPayload {
		t.Errorf("reading the largest entry: %v", err)
	}
}
