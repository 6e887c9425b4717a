package hosting

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/logstore"
)

func newKey(t *testing.T) Key {
	t.Helper()
	k := Key{Epoch: 1}
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	copy(k.ID[:], public)
	if _, err := rand.Read(k.EpochKey[:]); err != nil {
		t.Fatal(err)
	}
	return k
}

// mint makes a capability of a branch for every log.
func mint(t *testing.T, k Key, branch uint8, ops capability.Operations) *capability.Capability {
	t.Helper()
	return mintSpec(t, k, branch, capability.FrameSpec{Grants: []capability.Grant{{Operations: ops, Prefix: true}}})
}

// counting mints a capability of a branch whose every request is counted.
func counting(t *testing.T, k Key, branch uint8, c capability.Count) *capability.Capability {
	t.Helper()
	return mintSpec(t, k, branch, capability.FrameSpec{Limits: []capability.Limit{{Type: capability.TypeCount, Count: c}}})
}

func mintSpec(t *testing.T, k Key, branch uint8, spec capability.FrameSpec) *capability.Capability {
	t.Helper()
	frame, err := spec.Encode()
	if err != nil {
		t.Fatal(err)
	}
	h := capability.Header{Branch: branch, Hint: k.ID.Hint(), Epoch: k.Epoch, Generation: k.Generations[branch]}
	if branch != capability.BranchOwner {
		if _, err := rand.Read(h.Nonce[:]); err != nil {
			t.Fatal(err)
		}
	}
	made, err := capability.Mint(k.ID, k.EpochKey.Branch(k.Epoch, branch, h.Generation), h, frame)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func testConfig(store *logstore.Store) Config {
	return Config{
		Store: store, Start: time.Now(), Boot: 1, Logger: slog.New(slog.DiscardHandler),
		Manifest: func() edgeistry.Manifest { return edgeistry.Manifest{Logs: []edgeistry.LogInfo{{Name: "events"}}} },
	}
}

func newStore(t *testing.T) *logstore.Store {
	t.Helper()
	return openStore(t, &disk{Batching: dssync.MutexWrap(datastore.NewMapDatastore())})
}

func newService(t *testing.T, k Key, cfg Config) *Service {
	t.Helper()
	s, err := New(t.Context(), k, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// doer sends requests to a service from the node's own callers.
func doer(s *Service) coap.Doer {
	return coap.DoerFunc(func(ctx context.Context, req *coap.Message) (*coap.Message, error) {
		req = req.Clone()
		req.Remove(coap.OptionURIHost)
		return s.ServeCoAP(ctx, coap.Source{Peer: "local", Local: true}, req), nil
	})
}

// request sends a request under a capability and returns the reason that the service refuses it with.
func request(t *testing.T, s *Service, with *capability.Capability, code uint8, path string, payload []byte) (*coap.Message, capability.Reason) {
	t.Helper()
	m, err := coap.NewRequest(code, path, nil, payload)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.New(client.Config{}).Call(t.Context(), doer(s), with, client.Request{Message: m})
	var denied *client.Denied
	switch {
	case errors.As(err, &denied):
		return nil, denied.Reason
	case err != nil:
		t.Fatal(err)
	}
	return res.Response, capability.ReasonNone
}

// TestRevokedMeanwhile ends a branch after a request was admitted and before it acts: once that is confirmed nothing acts any
// more.
func TestRevokedMeanwhile(t *testing.T) {
	k := newKey(t)
	s := newService(t, k, testConfig(newStore(t)))
	owner := mint(t, k, capability.BranchOwner, capability.Append)
	if _, reason := request(t, s, owner, coap.CodePOST, "/l/events", []byte("x")); reason != capability.ReasonNone {
		t.Fatal(reason)
	}
	with := mint(t, k, 2, capability.Append)
	hello, err := with.NewHello(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	from := coap.Source{Peer: "local", Local: true}
	session, err := hello.Open(s.ServeCoAP(t.Context(), from, hello.Message()).Payload, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	req := &coap.Message{Code: coap.CodePOST, Payload: []byte("y")}
	if err := req.SetPath("/l/events"); err != nil {
		t.Fatal(err)
	}
	if _, err := session.Protect(req, 0, time.Now()); err != nil {
		t.Fatal(err)
	}
	admission, answer := s.check(t.Context(), s.direct, from, req)
	if admission == nil {
		t.Fatalf("refused: %x", answer.Payload)
	}
	s.SetGeneration(2, 1)
	if _, reason := s.act(t.Context(), from, admission); reason != capability.ReasonNoSession {
		t.Errorf("reason %d, want 7", reason)
	}
	m, reason := request(t, s, owner, coap.CodePOST, "/l/events", []byte("z"))
	if reason != capability.ReasonNone || len(m.Payload) != 8 || m.Payload[7] != 2 {
		t.Errorf("the next entry: %+v, reason %d, want number 2", m, reason)
	}
}

// TestManageHalfway saves a generation, and an epoch, and then fails: the answer says so, and the sessions of before have
// ended all the same.
func TestManageHalfway(t *testing.T) {
	k := newKey(t)
	full := errors.New("no space left")
	cfg := testConfig(newStore(t))
	cfg.Bump = func(uint8, uint8) (bool, error) { return true, full }
	cfg.Advance = func(epoch uint16, r [32]byte) (*Key, error) {
		next := Key{ID: k.ID, EpochKey: k.EpochKey.Next(epoch, r), Epoch: epoch}
		return &next, full
	}
	s := newService(t, k, cfg)
	owner := mintSpec(t, k, capability.BranchOwner, capability.FrameSpec{})
	if _, reason := request(t, s, owner, coap.CodePOST, "/l/events", []byte("x")); reason != capability.ReasonNone {
		t.Fatal(reason)
	}
	for _, tt := range []struct {
		path    string
		payload []byte
		branch  uint8
		want    capability.Reason
	}{
		{"/g", []byte{2, 1}, 2, capability.ReasonGeneration},
		{"/e", append([]byte{0, 2}, make([]byte, 32)...), 3, capability.ReasonEpoch},
	} {
		with := mint(t, k, tt.branch, capability.Read)
		if _, reason := request(t, s, with, coap.CodeGET, "/l/events", nil); reason != capability.ReasonNone {
			t.Fatalf("before POST %s: reason %d", tt.path, reason)
		}
		m, err := coap.NewRequest(coap.CodePOST, tt.path, nil, tt.payload)
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.New(client.Config{}).Call(t.Context(), doer(s), owner, client.Request{Message: m})
		var denied *client.Denied
		if !errors.As(err, &denied) || denied.Reason != capability.ReasonStorage || !denied.ByDevice {
			t.Errorf("POST %s: %v, want a tagged reason 26", tt.path, err)
		}
		if _, reason := request(t, s, with, coap.CodeGET, "/l/events", nil); reason != tt.want {
			t.Errorf("after POST %s: reason %d, want %d", tt.path, reason, tt.want)
		}
	}
}

// TestRangeFits asks for many large entries: a range holds what fits, in order.
func TestRangeFits(t *testing.T) {
	k := newKey(t)
	l, err := newStore(t).Log(t.Context(), logstore.LogID{Service: k.ID, Name: "events"})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := l.Append(t.Context(), logstore.AppendRequest{Payload: []byte(strings.Repeat("x", 30_000))}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ limit, want int }{{maxStreamRange, 2}, {maxDatagramRange, 1}} {
		r, err := readRange(t.Context(), l, coap.Query{HasFrom: true, From: 1}, 255, tt.limit)
		if err != nil || len(r.Entries) != tt.want || r.First != 1 {
			t.Errorf("range of at most %d bytes has %d entries from %d, %v; want %d", tt.limit, len(r.Entries), r.First, err, tt.want)
		}
	}
}

// TestEverybodyReopens: after a restart all callers of a service open sessions anew, within a few seconds.
func TestEverybodyReopens(t *testing.T) {
	const callers, atOnce = 600, guardSlots - 1 // one slot is the owner's
	key := newKey(t)
	cfg := testConfig(nil)
	cfg.Boot = 2
	guard, err := newGuard(key, cfg, &capability.MemoryCounters{})
	if err != nil {
		t.Fatal(err)
	}
	var now capability.Now
	for i := range callers {
		now.Tick = uint32(i / atOnce * 21) // a session of more than 2 s gives its slot up
		reader := mint(t, key, 1, capability.Read|capability.Observe)
		session := greet(t, guard, reader, now)
		req, err := coap.NewRequest(coap.CodeGET, "/-", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		p, err := session.Protect(req, time.Second, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		_, answer := guard.Check(req, now)
		if v, err := session.Verify(p, answer, time.Now()); err != nil || !v.Tagged {
			t.Fatalf("caller %d: %+v, %v; want a tagged answer", i, v, err)
		}
		if _, again := guard.Check(req, now); again.Code != coap.CodeUnavailable {
			t.Fatalf("caller %d, the same OPEN again: %s, want %s", i, coap.CodeText(again.Code), coap.CodeText(coap.CodeUnavailable))
		}
	}
	if now.Tick > 100 {
		t.Errorf("that took %d ticks; the first cookie was outdated before", now.Tick)
	}
}

// TestProofFields reads sequence and boot counter back from requests that package capability protected.
func TestProofFields(t *testing.T) {
	key := newKey(t)
	cfg := testConfig(nil)
	cfg.Boot = 77
	guard, err := newGuard(key, cfg, &capability.MemoryCounters{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	session := greet(t, guard, mint(t, key, capability.BranchOwner, capability.Read), capability.Now{Tick: 5})
	for want := uint32(1); want <= 2; want++ {
		m, err := coap.NewRequest(coap.CodeGET, "/l/events", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		p, err := session.Protect(m, time.Second, now)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Sequence(); got != want {
			t.Errorf("sequence = %d, want %d", got, want)
		}
		if boot, ok := p.Boot(); ok != (want == 1) || (ok && boot != 77) {
			t.Errorf("boot of request %d = %d, %t", want, boot, ok)
		}
		a, refusal := guard.Check(m, capability.Now{Tick: 5})
		if a == nil {
			t.Fatalf("refused: %+v", refusal)
		}
		resp := a.Answer(&coap.Message{Code: coap.CodeContent}, capability.Now{Tick: 5})
		if _, err := session.Verify(p, resp, now); err != nil {
			t.Fatal(err)
		}
	}
}

// greet says hello to a guard: the next request opens the session.
func greet(t *testing.T, guard *capability.Guard, c *capability.Capability, now capability.Now) *capability.Session {
	t.Helper()
	hello, err := c.NewHello(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cookie, reason := guard.Hello(hello.Payload(), now)
	if reason != capability.ReasonNone {
		t.Fatal(reason)
	}
	session, err := hello.Open(cookie, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return session
}
