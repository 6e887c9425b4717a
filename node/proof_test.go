package node

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/phrase"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/coap/link/linktest"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/config"
	"github.com/edgeistry/edgeistry/node/state"
)

// TestAudience names one peer that may ask: it is let in by the stream's own identity, another node and the service's node are not.
func TestAudience(t *testing.T) {
	ctx := t.Context()
	ha := testHome(t, nil)
	a, ca := startNode(t, ha)
	join := func(c *config.Config) { c.Seeds = []string{seedOf(a)} }
	b, cb := startNode(t, testHome(t, join))
	_, cc := startNode(t, testHome(t, join))
	if _, err := ca.Append(ctx, api.AppendRequest{Log: "events", Payload: []byte{7}}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		for_    *Node
		allowed *api.Client
	}{
		{"another node", b, cb}, {"the service's own node", a, ca},
	} {
		text := narrow(t, ha, state.OwnCapability, capability.FrameSpec{Limits: []capability.Limit{{Type: capability.TypeAudience, Audience: tt.for_.peerKey()}}})
		read := func(c *api.Client) error {
			_, err := c.Read(ctx, api.ReadRequest{Service: ha.Keys.Own().ID.String(), Log: "events", Capability: text})
			return err
		}
		eventually(t, tt.name+" reads", func() error { return read(tt.allowed) })
		for who, c := range map[string]*api.Client{"a": ca, "b": cb, "c": cc} {
			if c == tt.allowed {
				continue
			}
			err := read(c)
			var e *api.Error
			if want := "denied by the node: frame 2 allows only: from peer " + tt.for_.host.ID().String(); !errors.As(err, &e) || !strings.HasPrefix(e.Message, want) || !e.Denial.Verified {
				t.Errorf("%s: read from %s: %v, want %q", tt.name, who, err, want)
			}
		}
	}
}

// TestProofs calls a device with everything that can prove a request beside one capability.
func TestProofs(t *testing.T) {
	ctx := t.Context()
	h := testHome(t, nil)
	n, c := startNode(t, h)
	var seen atomic.Pointer[coap.Message]
	device, setup, link := greenhouse(t, func(req *coap.Message) bool { seen.Store(req.Clone()); return false })
	claimed, err := c.Claim(ctx, api.ClaimRequest{SetupCode: setup, Link: link, Name: "greenhouse"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := h.Keys.Get(n.deviceList()[0].Service)
	if err != nil {
		t.Fatal(err)
	}
	call := func(capText string, with api.Proof, payload byte) *api.CallResult {
		t.Helper()
		res, err := c.Call(ctx, api.CallRequest{
			Service: claimed.Service, Method: "POST", Path: "/f/valve", Payload: []byte{payload}, Capability: capText, Proof: with,
		})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	expect := func(what string, res *api.CallResult, want string) {
		t.Helper()
		if res.Message != want || !res.Tagged {
			t.Errorf("%s: %q (tagged %t), want %q by the device itself", what, res.Message, res.Tagged, want)
		}
	}
	limit := func(l ...capability.Limit) string {
		return narrow(t, h, "greenhouse/owner", capability.FrameSpec{Limits: l})
	}

	n.deviceList()[0].retire() // its own reading would be seen, too
	expect("private", call("greenhouse/owner", api.Proof{Private: true}, 77), "ok")
	if m := seen.Load(); m.Path() != "/" || bytes.Contains(m.Payload, []byte("valve")) || len(m.Payload) < 5 {
		t.Errorf("the device was sent %q with payload %x, want nothing but ciphertext", m.Path(), m.Payload)
	}
	if _, valve := device.Moves(); valve != 77 {
		t.Errorf("the valve is at %d, want 77", valve)
	}
	expect("private, denied", call(limit(upTo(30)...), api.Proof{Private: true}, 90), "denied by the device: frame 2 allows argument 0..30, not 90")

	both := minted(t, key, 3, capability.Call)
	bounded, err := capability.Parse(minted(t, key, 4, capability.Call))
	if err != nil {
		t.Fatal(err)
	}
	if bounded, err = bounded.Attenuate(rand.Reader, capability.FrameSpec{Limits: append(upTo(9), capability.Limit{Type: capability.TypeAlso, Also: capability.Also{Branch: 3}})}); err != nil {
		t.Fatal(err)
	}
	expect("alone", call(bounded.Text(), api.Proof{}, 5), "denied by the device: frame 2 allows only: with argument 0..9, together with a capability of branch 3 (it is missing: --cap)")
	expect("together", call(both, api.Proof{Also: []string{bounded.Text()}}, 5), "ok")
	expect("together, denied", call(both, api.Proof{Also: []string{bounded.Text()}}, 50), "denied by the device: frame 2 of capability 2 allows argument 0..9, not 50")

	testGuarded(t, h, call, expect)

	counted := limit(capability.Limit{Type: capability.TypeCount, Count: capability.Count{N: 2, Cell: 1}})
	if res := call(counted, api.Proof{}, 1); res.OK() || !strings.Contains(res.Message, "no cell of the verifier is reserved for it") {
		t.Errorf("a count without its cell: %q", res.Message)
	}
	if r, err := c.Reserve(ctx, api.ReserveRequest{Capability: counted}); err != nil || len(r.Cells) != 1 || r.Cells[0] != (api.Cell{Frame: 2, Cell: 1, Times: 2, Reserved: true}) {
		t.Fatalf("Reserve = %+v, %v", r, err)
	}
	expect("first of two", call(counted, api.Proof{}, 1), "ok")
	expect("second of two", call(counted, api.Proof{}, 2), "ok")
	expect("third of two", call(counted, api.Proof{}, 3), "denied by the device: frame 2 allows only: at most 2 times (they are used up)")
	other := limit(capability.Limit{Type: capability.TypeCount, Count: capability.Count{N: 1, Cell: 1}})
	if _, err := c.Reserve(ctx, api.ReserveRequest{Capability: other}); api.KindOf(err) != api.Denied || !strings.Contains(err.Error(), "cell 1 of greenhouse counts for another capability") {
		t.Errorf("reserving another's cell: %v, want denied", err)
	}
	if r, err := c.Reserve(ctx, api.ReserveRequest{Capability: counted}); err != nil || r.Cells[0].Reserved {
		t.Errorf("reserving the same again = %+v, %v, want it kept", r, err)
	}
	if _, err := c.Reserve(ctx, api.ReserveRequest{Capability: other, Force: true}); err != nil {
		t.Errorf("reserving by force: %v", err)
	}
	expect("the other", call(other, api.Proof{}, 4), "ok")
	for what, bad := range map[string]api.Proof{
		"no discharge": {Discharges: []string{"edis1_AAAA"}}, "no capability": {Also: []string{"ecap1_AAAA"}}, "too many": {Also: []string{both, both, both, both}},
	} {
		_, err := c.Call(ctx, api.CallRequest{Service: claimed.Service, Method: "POST", Path: "/f/valve", Capability: both, Proof: bad})
		if api.KindOf(err) != api.Usage {
			t.Errorf("%s: %v, want wrong usage", what, err)
		}
	}
}

// testGuarded opens a lock with the word of a guard: the node's own service stands for the guard's.
func testGuarded(t *testing.T, h *state.State, call func(string, api.Proof, byte) *api.CallResult, expect func(string, *api.CallResult, string)) {
	t.Helper()
	owner, err := h.Keychain.Get("greenhouse/owner")
	if err != nil {
		t.Fatal(err)
	}
	guard, err := h.Keychain.Get(state.OwnCapability)
	if err != nil {
		t.Fatal(err)
	}
	demand, err := owner.ThirdParty(rand.Reader, guard)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := owner.Attenuate(rand.Reader, capability.FrameSpec{Limits: []capability.Limit{demand}})
	if err != nil {
		t.Fatal(err)
	}
	word, err := guard.Discharge(capability.FrameSpec{Limits: upTo(30)})
	if err != nil {
		t.Fatal(err)
	}
	if res := call(lock.Text(), api.Proof{}, 1); res.OK() || !strings.Contains(res.Message, "its word is missing") {
		t.Errorf("without the guard's word: %q", res.Message)
	}
	expect("with the word", call(lock.Text(), api.Proof{Discharges: []string{word.Text()}}, 1), "ok")
	expect("with the word, beyond it", call(lock.Text(), api.Proof{Discharges: []string{word.Text()}}, 31), "denied by the device: the discharge of frame 2 allows argument 0..30, not 31")

	// Somebody who knows the frame, but not the guard's key, makes up a word.
	forger, err := guard.Attenuate(rand.Reader, capability.FrameSpec{})
	if err != nil {
		t.Fatal(err)
	}
	forged, err := forger.Discharge(capability.FrameSpec{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // also in a session anew
		expect("with a forged word", call(lock.Text(), api.Proof{Discharges: []string{forged.Text()}}, 1), "denied by the device: the discharge of frame 2 is not what the frame demands")
	}
}

// TestReadFromCopy reads with a pair while the device is away: the answer comes from the copy, and says so.
func TestReadFromCopy(t *testing.T) {
	ctx := t.Context()
	h := testHome(t, nil)
	n, c := startNode(t, h)
	_, reader := startNode(t, testHome(t, func(c *config.Config) { c.Seeds = []string{seedOf(n)} }))
	device, setup, link := greenhouse(t, nil)
	claimed, err := c.Claim(ctx, api.ClaimRequest{SetupCode: setup, Link: link, Name: "greenhouse"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := h.Keys.Get(n.deviceList()[0].Service)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := phrase.Wish{Read: []string{"temperature"}}.Spec()
	if err != nil {
		t.Fatal(err)
	}
	frame, err := spec.Encode()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := capability.MintPair(key.ID, key.EpochKey.Branch(1, 3, 0), capability.Header{Branch: 3, Epoch: 1, Nonce: [4]byte{9}}, key.EpochKey.Branch(1, capability.BranchMirror, 0), 0, frame)
	if err != nil {
		t.Fatal(err)
	}
	read := api.ReadRequest{Service: claimed.Service, Log: "temperature", Capability: pair.Text(), TimeoutMS: 12_000}
	eventually(t, "read from the device", func() error {
		r, err := reader.Read(ctx, read)
		if err == nil && (r.By != "device" || r.Copy != nil || len(r.Entries) != 3) {
			t.Errorf("with the device there: %+v, want it to answer", r)
		}
		return err
	})
	eventually(t, "the copy", func() error {
		r, err := c.Read(ctx, api.ReadRequest{Service: "greenhouse", Log: "temperature", Mirror: true})
		if err == nil && len(r.Entries) != 3 {
			err = errors.New("incomplete")
		}
		return err
	})
	device.Asleep.Store(true)
	r, err := reader.Read(ctx, read)
	if err != nil {
		t.Fatal(err)
	}
	if r.By != "mirror" || len(r.Entries) != 3 || r.Copy == nil || r.Copy.Away == "" || r.Copy.Home != n.host.ID().String() || r.Copy.AsOf.IsZero() {
		t.Errorf("with the device away: %+v (%+v), want the copy with its age", r, r.Copy)
	}
	direct := read
	direct.Direct, direct.TimeoutMS = true, 3000
	if _, err := reader.Read(ctx, direct); api.KindOf(err) != api.Timeout && api.KindOf(err) != api.Failed {
		t.Errorf("direct, with the device away: %v, want a failure", err)
	}
	mirror := read
	mirror.Mirror = true
	if r, err := reader.Read(ctx, mirror); err != nil || r.By != "mirror" || r.Copy.Away != "" {
		t.Errorf("the mirror itself: %+v, %v", r, err)
	}
	testTailFromCopy(t, reader, read, device)
}

// testTailFromCopy follows the log of a device that sleeps: the newest entries of the copy, which is said, and the device itself once it is awake.
func testTailFromCopy(t *testing.T, reader *api.Client, r api.ReadRequest, device *linktest.Device) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r.Last, r.TimeoutMS = 2, 1000
	var heard []string
	err := reader.Tail(ctx, r, func(s api.Source) {
		heard = append(heard, fmt.Sprintf("from the %s at %d", s.By, s.Head.Sequence))
		switch {
		case s.Copy != nil && s.Copy.Away == "":
			t.Errorf("the copy: %+v, want why", s.Copy)
		case s.Copy != nil:
			device.Asleep.Store(false)
		default:
			cancel()
		}
	}, func(e api.Entry) error {
		heard = append(heard, fmt.Sprint(e.Sequence))
		return nil
	})
	if want := []string{"from the mirror at 3", "2", "3", "from the device at 3"}; err != nil || !slices.Equal(heard, want) {
		t.Errorf("Tail gave %q, %v, want %q", heard, err, want)
	}
	device.Asleep.Store(true)
	r.Direct = true
	ctx, cancel = context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := reader.Tail(ctx, r, func(s api.Source) { t.Errorf("direct, with the device away: from %+v", s) }, nil); err != nil && api.KindOf(err) != api.Timeout {
		t.Errorf("direct, with the device away: %v", err)
	}
}
