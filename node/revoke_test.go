package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/coap/link"
	"github.com/edgeistry/edgeistry/coap/link/linktest"
	"github.com/edgeistry/edgeistry/denylist"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/config"
	"github.com/edgeistry/edgeistry/node/state"
)

// farm is a node that owns a device called greenhouse.
type farm struct {
	t      *testing.T
	state  *state.State
	node   *Node
	client *api.Client
	device *linktest.Device
	link   string
	id     edgeistry.ServiceID

	mu     sync.Mutex
	served []string // paths of the requests that the device saw
	before func(req *coap.Message) (lose bool)
}

func newFarm(t *testing.T) *farm {
	t.Helper()
	f := &farm{t: t, state: testHome(t, nil)}
	var setup string
	f.device, setup, f.link = greenhouse(t, func(req *coap.Message) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.served = append(f.served, req.Path())
		return f.before != nil && f.before(req)
	})
	f.node, f.client = startNode(t, f.state)
	claimed, err := f.client.Claim(t.Context(), api.ClaimRequest{SetupCode: setup, Link: f.link, Name: "greenhouse"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if f.id, err = edgeistry.ParseServiceID(claimed.Service); err != nil {
		t.Fatal(err)
	}
	return f
}

// restart stops the node and starts it on the same home.
func (f *farm) restart() {
	f.t.Helper()
	if err := f.node.Close(); err != nil {
		f.t.Fatal(err)
	}
	h, err := state.Open(f.state.Dir())
	if err != nil {
		f.t.Fatal(err)
	}
	f.state = h
	f.node, f.client = startNode(f.t, h)
}

// onRequest replaces what is done before the device serves a request, and forgets what it saw so far.
func (f *farm) onRequest(before func(req *coap.Message) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before, f.served = before, nil
}

func (f *farm) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.served)
}

func (f *farm) key() *state.ServiceKey {
	f.t.Helper()
	k, err := f.state.Keys.Get(f.id)
	if err != nil {
		f.t.Fatal(err)
	}
	return k
}

// mint keeps a capability of a branch that may do everything there, as greenhouse/NAME.
func (f *farm) mint(branch uint8, name string) *capability.Capability {
	f.t.Helper()
	k := f.key()
	h := capability.Header{Branch: branch, Epoch: k.Epoch, Generation: k.Generations[branch]}
	if _, err := rand.Read(h.Nonce[:]); err != nil {
		f.t.Fatal(err)
	}
	c, err := capability.Mint(k.ID, k.EpochKey.Branch(k.Epoch, branch, h.Generation), h, nil)
	if err == nil {
		err = f.state.Keychain.Save("greenhouse/"+name, c)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

// read asks the device under a capability, and says why it was refused.
func (f *farm) read(name string) capability.Reason {
	f.t.Helper()
	res, err := f.client.Call(f.t.Context(), api.CallRequest{Service: "greenhouse", Method: "GET", Path: "/l/temperature", Capability: name})
	if err != nil {
		f.t.Fatalf("reading with %s: %v", name, err)
	}
	if !res.OK() && res.Reason == 0 {
		f.t.Fatalf("reading with %s: %+v", name, res)
	}
	return capability.Reason(res.Reason)
}

// past asks the device itself, without the node.
func (f *farm) past(c *capability.Capability) capability.Reason {
	f.t.Helper()
	link, err := link.Open(f.link, link.Config{Logger: quiet()})
	if err != nil {
		f.t.Fatal(err)
	}
	defer link.Close()
	m, err := coap.NewRequest(coap.CodeGET, "/l/temperature", nil, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	strip := coap.DoerFunc(func(ctx context.Context, req *coap.Message) (*coap.Message, error) {
		req = req.Clone()
		req.Remove(coap.OptionURIHost)
		return link.Do(ctx, req)
	})
	_, err = client.New(client.Config{}).Call(f.t.Context(), strip, c, client.Request{Message: m})
	var denied *client.Denied
	if errors.As(err, &denied) {
		return denied.Reason
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return capability.ReasonNone
}

func (f *farm) revoke(r api.RevokeRequest) *api.RevokeResult {
	f.t.Helper()
	res, err := f.client.Revoke(f.t.Context(), r)
	if err != nil {
		f.t.Fatal(err)
	}
	return res
}

// settled waits until nothing is pending.
func (f *farm) settled() {
	f.t.Helper()
	eventually(f.t, "confirmation by the device", func() error {
		all, err := f.client.Revocations(f.t.Context(), "greenhouse")
		for _, r := range all {
			if r.State == api.RevokedWaiting {
				err = errors.Join(err, fmt.Errorf("%+v", r))
			}
		}
		return err
	})
}

func (f *farm) want(name string, reason capability.Reason) {
	f.t.Helper()
	if got := f.read("greenhouse/" + name); got != reason {
		f.t.Errorf("reading with %s: reason %d (%s), want %d", name, got, got, reason)
	}
}

// TestRevoke revokes a capability while the device sleeps. It is dead at the home at once, and at the device before anything else reaches
// that; one of the same branch ends with it, one of another does not.
func TestRevoke(t *testing.T) {
	f := newFarm(t)
	anna, bob := f.mint(3, "anna"), f.mint(3, "bob")
	f.mint(4, "carl")
	for _, name := range []string{"anna", "bob", "carl"} {
		f.want(name, capability.ReasonNone)
	}
	preview := f.revoke(api.RevokeRequest{Capability: "greenhouse/anna", Preview: true})
	if len(preview.AlsoEnds) != 1 || preview.AlsoEnds[0] != (api.AlsoEnds{Name: "greenhouse/bob", Why: "same branch"}) {
		t.Errorf("what else ends: %+v, want bob", preview.AlsoEnds)
	}
	f.want("anna", capability.ReasonNone)

	f.device.Asleep.Store(true)
	began := time.Now()
	res := f.revoke(api.RevokeRequest{Capability: "greenhouse/anna"})
	if took := time.Since(began); took > 2*revokeWait {
		t.Errorf("revoking took %v, it must not wait for the device", took)
	}
	if len(res.Changes) != 1 || res.Changes[0].State != api.RevokedWaiting || *res.Changes[0].Branch != 3 || *res.Changes[0].Generation != 1 {
		t.Errorf("revoked: %+v, want generation 1 of branch 3 to wait", res.Changes)
	}
	f.want("anna", capability.ReasonDenyListed)
	if why := f.state.Ended(anna); why == "" || f.state.Ended(bob) == "" {
		t.Error("the keychain does not know that anna and bob are over")
	}

	f.restart() // nothing is lost
	if all, err := f.client.Revocations(t.Context(), ""); err != nil || len(all) != 2 || all[0].State != api.RevokedWaiting || all[1].State != api.RevokedHere {
		t.Errorf("after a restart: %+v, %v", all, err)
	}
	f.onRequest(nil)
	f.device.Asleep.Store(false)
	f.settled()
	for _, path := range f.seen() {
		if path == "/g" {
			break
		}
		if path != "/h" && path != "/-" {
			t.Errorf("%s reached the device before the revocation", path)
		}
	}
	if epoch, generation := f.device.Era(3); epoch != 1 || generation != 1 {
		t.Errorf("the device has epoch %d, generation %d of branch 3", epoch, generation)
	}
	f.want("bob", capability.ReasonGeneration)
	f.want("anna", capability.ReasonDenyListed)
	f.want("carl", capability.ReasonNone)
	if got := f.past(anna); got != capability.ReasonGeneration {
		t.Errorf("anna past the home: reason %d, want 13", got)
	}
	f.mint(3, "dora")
	f.want("dora", capability.ReasonNone)
	if again := f.revoke(api.RevokeRequest{Capability: "greenhouse/anna"}); again.Ended == "" || len(again.Changes) != 0 {
		t.Errorf("revoked again: %+v, want nothing to do", again)
	}
}

// TestRevokeOwners ends what was narrowed from the owner's capability: one by the deny list, which can be taken back, then all by the generation.
func TestRevokeOwners(t *testing.T) {
	f := newFarm(t)
	owner := f.key().Owner()
	for _, name := range []string{"anna", "bob"} {
		c, err := owner.Attenuate(rand.Reader, capability.FrameSpec{Grants: []capability.Grant{{Operations: capability.Read, Name: "temperature"}}})
		if err == nil {
			err = f.state.Keychain.Save("greenhouse/"+name, c)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.client.Revoke(t.Context(), api.RevokeRequest{Capability: "greenhouse/owner"}); api.KindOf(err) != api.Usage {
		t.Errorf("revoking the owner's own without saying how: %v, want wrong usage", err)
	}
	res := f.revoke(api.RevokeRequest{Capability: "greenhouse/anna"})
	if len(res.Changes) != 0 || len(res.AlsoEnds) != 0 || len(res.Fingerprints) != 2 {
		t.Fatalf("revoked: %+v, want the deny list alone, for both halves", res)
	}
	f.want("anna", capability.ReasonDenyListed)
	f.want("bob", capability.ReasonNone)
	for _, fingerprint := range res.Fingerprints {
		if err := f.client.Allow(t.Context(), api.AllowRequest{Service: "greenhouse", Fingerprint: fingerprint}); err != nil {
			t.Fatal(err)
		}
	}
	f.want("anna", capability.ReasonNone)
	if err := f.client.Allow(t.Context(), api.AllowRequest{Service: "greenhouse", Fingerprint: res.Fingerprints[0]}); api.KindOf(err) != api.NotFound {
		t.Errorf("taking out what is not there: %v", err)
	}

	f.revoke(api.RevokeRequest{Capability: "greenhouse/owner", Generation: true})
	f.settled()
	if kept, err := f.state.Keychain.Get("greenhouse/owner"); err != nil || kept.Header.Generation != 1 {
		t.Errorf("the keychain's owner capability is %v, %v, want generation 1", kept, err)
	}
	f.want("owner", capability.ReasonNone)
	f.want("anna", capability.ReasonDenyListed)
	if got := f.past(owner); got != capability.ReasonGeneration {
		t.Errorf("the owner's old capability: reason %d, want 13", got)
	}
	f.restart()
	f.want("owner", capability.ReasonNone)
}

// TestRevokeLostAnswer loses the answer to the end of the owner's generation: the session under the next one shows that it was made.
func TestRevokeLostAnswer(t *testing.T) {
	f := newFarm(t)
	f.onRequest(func(req *coap.Message) bool {
		if req.Path() == "/g" {
			f.device.Asleep.Store(true) // the answer is lost, and so are those to its repetitions
			return true
		}
		return false
	})
	f.revoke(api.RevokeRequest{Capability: "greenhouse/owner", Generation: true})
	if _, generation := f.device.Era(0); generation != 1 {
		t.Fatalf("the device has generation %d, want 1", generation)
	}
	f.onRequest(nil)
	f.device.Asleep.Store(false)
	f.settled()
	f.want("owner", capability.ReasonNone)
}

// TestEpoch begins a new epoch, and cuts it off at each step: everything that was shared is dead, and the owner is never locked out.
func TestEpoch(t *testing.T) {
	for name, cut := range map[string]func(f *farm){
		"undisturbed": func(f *farm) {
			f.revoke(api.RevokeRequest{Capability: "greenhouse/owner", Epoch: true})
		},
		"the device sleeps, the node is stopped": func(f *farm) {
			f.device.Asleep.Store(true)
			res := f.revoke(api.RevokeRequest{Capability: "greenhouse/anna", Epoch: true})
			if len(res.Changes) != 1 || res.Changes[0].State != api.RevokedWaiting || res.Changes[0].Epoch != 2 {
				f.t.Errorf("revoked: %+v, want epoch 2 to wait", res.Changes)
			}
			_, err := f.client.Call(f.t.Context(), api.CallRequest{Service: "greenhouse", Method: "POST", Path: "/f/valve", Payload: []byte{1}})
			if want := "epoch 1 of greenhouse is over, and the service has not confirmed the next"; err == nil || !strings.HasPrefix(err.Error(), want) {
				f.t.Errorf("the owner meanwhile: %v, want %q", err, want)
			}
			f.restart()
			f.device.Asleep.Store(false)
		},
		"the answer is lost, the node is stopped": func(f *farm) {
			f.loseEpoch()
			f.restart()
			f.device.Asleep.Store(false)
		},
		"the answer is lost, the device starts anew": func(f *farm) {
			f.loseEpoch()
			f.device.Reboot()
			f.device.Asleep.Store(false)
		},
		"the node is stopped before the request, the device starts anew": func(f *farm) {
			f.device.Asleep.Store(true)
			f.revoke(api.RevokeRequest{Capability: "greenhouse/owner", Epoch: true})
			f.restart()
			f.device.Reboot()
			f.device.Asleep.Store(false)
		},
		"the node is stopped between key and list": func(f *farm) {
			f.device.Asleep.Store(true)
			f.revoke(api.RevokeRequest{Capability: "greenhouse/owner", Epoch: true})
			pending, err := f.state.Revocations.Get(f.id)
			if err != nil {
				f.t.Fatal(err)
			}
			f.device.Asleep.Store(false)
			f.settled()
			if err := f.state.Revocations.Save(pending); err != nil { // as if that had been its last write
				f.t.Fatal(err)
			}
			f.restart()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFarm(t)
			f.mint(3, "anna")
			f.want("anna", capability.ReasonNone)
			mirror := mirrorOf(t, f.key())
			before := f.key()
			cut(f)
			f.settled()
			if epoch, _ := f.device.Era(0); epoch != 2 || f.key().Epoch != 2 || f.key().EpochKey == before.EpochKey || f.key().Generations != [16]uint8{} {
				t.Errorf("device in epoch %d, home in %d, generations %v; want 2 and a new key", epoch, f.key().Epoch, f.key().Generations)
			}
			known, err := f.state.Revocations.Get(f.id)
			if err != nil || len(known.Pending()) > 0 || known.Changes[0].Secret != [32]byte{} {
				t.Errorf("the secret is kept, or something pending: %v, %v", known, err)
			}
			f.want("owner", capability.ReasonNone)
			if got := f.read("greenhouse/anna"); got != capability.ReasonEpoch && got != capability.ReasonDenyListed {
				t.Errorf("anna is refused with reason %d, want 14 or 28", got)
			}
			if got := f.past(before.Owner()); got != capability.ReasonEpoch {
				t.Errorf("the owner's capability of epoch 1: reason %d, want 14", got)
			}
			res, err := f.client.Call(t.Context(), api.CallRequest{Service: "greenhouse", Method: "GET", Path: "/l/temperature", Capability: mirror, Mirror: true})
			if err != nil || res.Reason != uint8(capability.ReasonEpoch) {
				t.Errorf("the mirror of epoch 1: %+v, %v, want reason 14", res, err)
			}
			res, err = f.client.Call(t.Context(), api.CallRequest{Service: "greenhouse", Method: "GET", Path: "/l/temperature", Capability: mirrorOf(t, f.key()), Mirror: true})
			if err != nil || !res.OK() {
				t.Errorf("the mirror of epoch 2: %+v, %v", res, err)
			}
			eventually(t, "clock set by the node's own capability of epoch 2", func() error {
				d, err := f.client.Devices(t.Context())
				if err == nil && (len(d) != 1 || !d[0].Reachable || !d[0].ClockSet) {
					err = fmt.Errorf("%+v", d)
				}
				return err
			})
		})
	}
}

// loseEpoch begins an epoch whose answer nobody hears.
func (f *farm) loseEpoch() {
	f.t.Helper()
	f.onRequest(func(req *coap.Message) bool {
		if req.Path() == "/e" {
			f.device.Asleep.Store(true)
			return true
		}
		return false
	})
	f.revoke(api.RevokeRequest{Capability: "greenhouse/owner", Epoch: true})
	if epoch, _ := f.device.Era(0); epoch != 2 {
		f.t.Fatalf("the device has epoch %d, want 2", epoch)
	}
	if f.key().Epoch != 1 {
		f.t.Fatalf("the home has epoch %d without an answer", f.key().Epoch)
	}
	f.onRequest(nil)
}

// TestRevokeHere revokes capabilities of the node's own service.
func TestRevokeHere(t *testing.T) {
	h := testHome(t, nil)
	n, c := startNode(t, h)
	if _, err := c.Append(t.Context(), api.AppendRequest{Log: "events", Payload: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	with := minted(t, h.Keys.Own(), 2, capability.Read)
	read := func(with string) capability.Reason {
		t.Helper()
		res, err := c.Call(t.Context(), api.CallRequest{Service: "node", Method: "GET", Path: "/l/events", Capability: with})
		if err != nil {
			t.Fatal(err)
		}
		return capability.Reason(res.Reason)
	}
	if got := read(with); got != capability.ReasonNone {
		t.Fatalf("before: reason %d", got)
	}
	res, err := c.Revoke(t.Context(), api.RevokeRequest{Capability: with})
	if err != nil || len(res.Changes) != 1 || res.Changes[0].State != api.RevokedDone {
		t.Fatalf("revoked: %+v, %v, want done at once", res, err)
	}
	if got := read(with); got != capability.ReasonDenyListed {
		t.Errorf("after: reason %d, want 28", got)
	}
	old := h.Keys.Own().Owner().Text()
	if res, err = c.Revoke(t.Context(), api.RevokeRequest{Capability: state.OwnCapability, Epoch: true}); err != nil || len(res.Changes) != 1 || res.Changes[0].State != api.RevokedDone {
		t.Fatalf("epoch: %+v, %v", res, err)
	}
	if got := read(old); got != capability.ReasonEpoch {
		t.Errorf("the owner's of epoch 1: reason %d, want 14", got)
	}
	if got := read(state.OwnCapability); got != capability.ReasonNone {
		t.Errorf("the owner's in the keychain: reason %d", got)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if h, err = state.Open(h.Dir()); err != nil {
		t.Fatal(err)
	}
	_, c = startNode(t, h)
	if got := read(state.OwnCapability); got != capability.ReasonNone || h.Keys.Own().Epoch != 2 {
		t.Errorf("after a restart: reason %d, epoch %d", got, h.Keys.Own().Epoch)
	}
}

// TestRevokeRefused asks for what cannot be done.
func TestRevokeRefused(t *testing.T) {
	h := testHome(t, nil)
	_, c := startNode(t, h)
	last := h.Keys.Own()
	last.Generations[5] = 255
	if err := h.Keys.Save(last); err != nil {
		t.Fatal(err)
	}
	of5, err := capability.Mint(last.ID, last.EpochKey.Branch(1, 5, 255), capability.Header{Branch: 5, Epoch: 1, Generation: 255}, nil)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := state.NewServiceKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, capability, text string
		kind                   api.Kind
	}{
		{"last generation", of5.Text(), "bump the epoch", api.Failed},
		{"another's service", stranger.Owner().Text(), "does not own", api.NotFound},
		{"no such name", "greenhouse/nobody", "not found", api.NotFound},
		{"no token", "ecap1_x", "cannot be read", api.Usage},
	} {
		_, err := c.Revoke(t.Context(), api.RevokeRequest{Capability: tt.capability})
		if api.KindOf(err) != tt.kind || !strings.Contains(fmt.Sprint(err), tt.text) {
			t.Errorf("%s: %v, want %s with %q", tt.name, err, tt.kind, tt.text)
		}
	}
	if all, err := c.Revocations(t.Context(), ""); err != nil || len(all) != 0 {
		t.Errorf("something was revoked: %+v, %v", all, err)
	}
	res, err := c.Call(t.Context(), api.CallRequest{Service: "node", Method: "POST", Path: "/e", Payload: make([]byte, 34)})
	if api.KindOf(err) != api.Usage {
		t.Errorf("an epoch by a call: %+v, %v, want wrong usage", res, err)
	}
}

// pair mints a permission to read for the device and for the home's copies, and keeps it as greenhouse/NAME.
func (f *farm) pair(branch uint8, name string) *capability.Capability {
	f.t.Helper()
	k := f.key()
	h := capability.Header{Branch: branch, Epoch: k.Epoch, Generation: k.Generations[branch]}
	if _, err := rand.Read(h.Nonce[:]); err != nil {
		f.t.Fatal(err)
	}
	generation := k.Generations[capability.BranchMirror]
	c, err := capability.MintPair(k.ID, k.EpochKey.Branch(k.Epoch, branch, h.Generation), h, k.EpochKey.Branch(k.Epoch, capability.BranchMirror, generation), generation, nil)
	if err == nil {
		err = f.state.Keychain.Save("greenhouse/"+name, c)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

// copies reads the home's copy under a pair, and returns why it was refused.
func (f *farm) copies(c *capability.Capability) capability.Reason {
	f.t.Helper()
	res, err := f.client.Call(f.t.Context(), api.CallRequest{Service: "greenhouse", Method: "GET", Path: "/l/temperature", Capability: c.Text(), Mirror: true})
	if err != nil {
		f.t.Fatal(err)
	}
	return capability.Reason(res.Reason)
}

// TestRevokePair ends one pair. Its mirror half is refused by its fingerprint; those of others still read, and a node that copies the log goes on.
func TestRevokePair(t *testing.T) {
	f := newFarm(t)
	anna, carl := f.pair(3, "anna"), f.pair(4, "carl")
	archive := func(with *capability.Capability) *api.Client {
		_, c := startNode(t, testHome(t, func(c *config.Config) { c.Seeds = []string{seedOf(f.node)} }))
		module, err := os.ReadFile(filepath.Join("..", "function", "testdata", "echo.wasm"))
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "an archive", func() error {
			_, err := c.Deploy(t.Context(), api.DeployRequest{
				Name: "copy", Module: module, On: f.id.String() + "/temperature", To: "out", Capability: with.Text(), FromStart: true,
			})
			return err
		})
		return c
	}
	pull := func(c *api.Client, want string) api.Function {
		var got api.Function
		eventually(t, "a copy that is "+want, func() error {
			list, err := c.Functions(t.Context())
			if err == nil && (len(list) != 1 || list[0].PullState != want) {
				err = fmt.Errorf("%+v", list)
			}
			if err == nil {
				got = list[0]
			}
			return err
		})
		return got
	}
	carls, annas := archive(carl), archive(anna)
	pull(carls, "following")
	pull(annas, "following")

	preview := f.revoke(api.RevokeRequest{Capability: "greenhouse/anna", Preview: true})
	if len(preview.AlsoEnds) != 0 || len(preview.Fingerprints) != 2 {
		t.Errorf("what ends: %+v, want both halves by their fingerprints and nothing else", preview)
	}
	res := f.revoke(api.RevokeRequest{Capability: "greenhouse/anna"})
	if len(res.Changes) != 1 || *res.Changes[0].Branch != 3 {
		t.Errorf("revoked: %+v, want branch 3 alone", res.Changes)
	}
	f.settled()
	if _, generation := f.device.Era(capability.BranchMirror); generation != 0 || f.key().Generations[capability.BranchMirror] != 0 {
		t.Errorf("the mirror branch has generation %d at the device, %d at home, want 0", generation, f.key().Generations[capability.BranchMirror])
	}
	if got := f.copies(anna); got != capability.ReasonDenyListed {
		t.Errorf("anna reads the copy: reason %d, want 28", got)
	}
	if got := f.copies(carl); got != capability.ReasonNone {
		t.Errorf("carl reads the copy: reason %d", got)
	}
	if refused := pull(annas, "refused"); refused.PullProblem == "" || refused.PullFailed.IsZero() {
		t.Errorf("the archive under anna's: %+v, want the error and its time", refused)
	}
	if going := pull(carls, "following"); going.PullProblem != "" || !going.PullFailed.IsZero() {
		t.Errorf("the archive under carl's: %+v, want it to go on", going)
	}

	asked := f.revoke(api.RevokeRequest{Capability: "greenhouse/carl", Generation: true})
	if len(asked.Changes) != 2 || *asked.Changes[1].Branch != capability.BranchMirror {
		t.Errorf("revoked with its generations: %+v, want branches 4 and 15", asked.Changes)
	}
	f.settled()
	if _, generation := f.device.Era(capability.BranchMirror); generation != 1 {
		t.Errorf("the mirror branch has generation %d at the device, want 1", generation)
	}
}

// TestRevokeListFull revokes a mirror half where the deny list has no room: the generation of the mirror branch ends it, which makes room.
func TestRevokeListFull(t *testing.T) {
	f := newFarm(t)
	full := &state.Revocations{Service: f.id}
	for i := range denylist.MaxEntries {
		d := state.Denial{Epoch: 1, Branch: capability.BranchMirror, Since: time.Now()}
		d.Fingerprint[0], d.Fingerprint[1] = byte(i>>8), byte(i)
		if err := full.Deny(d, f.key()); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.state.Revocations.Save(full); err != nil {
		t.Fatal(err)
	}
	anna := f.pair(3, "anna")
	res := f.revoke(api.RevokeRequest{Capability: "greenhouse/anna"})
	if len(res.Fingerprints) != 0 || len(res.Changes) != 2 || *res.Changes[1].Branch != capability.BranchMirror {
		t.Fatalf("revoked: %+v, want the generations of branches 3 and 15", res)
	}
	if got := f.copies(anna); got != capability.ReasonGeneration {
		t.Errorf("anna reads the copy: reason %d, want 13", got)
	}
	f.settled()
	bob := f.pair(4, "bob")
	res = f.revoke(api.RevokeRequest{Capability: "greenhouse/bob"})
	if len(res.Fingerprints) != 2 || len(res.Changes) != 1 {
		t.Errorf("the next: %+v, want the list again", res)
	}
	if got := f.copies(bob); got != capability.ReasonDenyListed {
		t.Errorf("bob reads the copy: reason %d, want 28", got)
	}
}
