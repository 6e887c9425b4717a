package capability

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/edgeistry/edgeistry/coap"
)

// script plays a transcript against a guard, checks every answer's reason, and writes it down.
type script struct {
	t   testing.TB
	v   *vectors
	id  string
	g   *Guard
	ke  EpochKey
	now Now
	n   uint16

	denied   Denial  // of the last step
	cipher   *tagger // of the last private request
	sequence uint32  // its number
}

const scriptBoot = 7

// newScript starts a transcript. change may be nil.
func newScript(t testing.TB, v *vectors, id string, change func(*GuardConfig)) *script {
	t.Helper()
	ke := testKey()
	cfg := GuardConfig{
		Hint: testService().Hint(), Epoch: 1, Boot: scriptBoot, CookieKey: ke.CookieKey(scriptBoot),
		BranchKey: ke.BranchKeys(1), Slots: defaultSlots, MaxCarried: maxCarried, Counters: &MemoryCounters{}, Buckets: defaultBuckets,
	}
	cfg.Generations[3] = 2
	if change != nil {
		change(&cfg)
	}
	g, err := NewGuard(cfg)
	if err != nil {
		t.Fatal(err)
	}
	v.add("guard", id, "ke", ke, "hint", cfg.Hint, "epoch", cfg.Epoch, "boot", cfg.Boot, "generations", cfg.Generations[:],
		"cookie_key", cfg.CookieKey, "slots", uint8(cfg.Slots), "max_carried", uint8(cfg.MaxCarried),
		"mirror", cfg.Mirror, "closed", cfg.Closed, "buckets", uint8(cfg.Buckets), "cells", cfg.Counters != nil, "private", cfg.EnablePrivacy)
	return &script{t: t, v: v, id: id, g: g, ke: ke, now: Now{Tick: 1000, Unix: 1_700_000_000}}
}

func (s *script) end() { s.v.add("end", s.id) }

// bump changes a branch's generation between two steps, as POST /g does.
func (s *script) bump(branch, generation uint8) {
	s.g.SetGeneration(branch, generation)
	s.v.add("generation", s.id, "branch", branch, "generation", generation)
}

// reserve assigns a cell to a chain between two steps, as POST /n does.
func (s *script) reserve(cell uint8, id Identity) {
	s.t.Helper()
	if r := s.g.Reserve(cell, id); r != ReasonNone {
		s.t.Errorf("%s: Reserve(%d): %v", s.id, cell, r)
	}
	s.v.add("cell", s.id, "cell", cell, "identity", id)
}

// ratchet starts the next epoch between two steps, as POST /e does.
func (s *script) ratchet(r [32]byte) {
	s.t.Helper()
	epoch := s.g.Epoch() + 1
	s.ke = s.ke.Next(epoch, r)
	if err := s.g.SetEpoch(epoch, s.ke.CookieKey(scriptBoot), s.ke.BranchKeys(epoch)); err != nil {
		s.t.Error(err)
	}
	s.v.add("epoch", s.id, "epoch", epoch, "r", r, "ke", s.ke)
}

// count writes down what a cell holds.
func (s *script) count(cell, want uint8) {
	s.t.Helper()
	id, used, _ := s.g.cfg.Counters.Cell(cell)
	if used != want {
		s.t.Errorf("%s, after step %d: cell %d counts %d, want %d", s.id, s.n, cell, used, want)
	}
	s.v.add("count", s.id, "cell", cell, "identity", id, "count", used)
}

// application is what stands behind the guard in every transcript.
func application(a *Admission, req *coap.Message) *coap.Message {
	switch a.Operation {
	case Read, Observe:
		return &coap.Message{Code: coap.CodeContent, Payload: bytes.Repeat([]byte{0x5a}, 28)}
	case Append:
		return &coap.Message{Code: coap.CodeChanged, Payload: []byte{0, 0, 0, 7, 0, 0, 0, 1}}
	case Call: // every function gives its argument back
		return &coap.Message{Code: coap.CodeChanged, Payload: bytes.Clone(req.Payload)}
	}
	r := ReasonNone
	switch a.Management {
	case ManageGeneration:
		_, _, r = a.Generation()
	case ManageEpoch:
		_, _, r = a.Epoch()
	case ManageCell:
		_, _, r = a.Cell()
	}
	if r != ReasonNone {
		return Refusal(r)
	}
	return &coap.Message{Code: coap.CodeChanged}
}

// step sends req as it stands; want is the reason in the answer, 0 for success.
func (s *script) step(name string, req *coap.Message, want Reason) *coap.Message {
	s.t.Helper()
	s.n++
	token := []byte{0xed, byte(s.n)}
	raw := coapBytes(req, 0, s.n, token)
	pairs := []any{"tick", s.now.Tick, "unix", s.now.Unix, "request", raw}
	var resp, app *coap.Message
	if IsHello(req) {
		resp = s.g.AnswerHello(req, s.now)
	} else {
		var a *Admission
		if a, resp = s.g.Check(req, s.now); a != nil {
			app = application(a, a.Request)
			pairs = append(pairs, "admitted", true, "operation", a.Operation, "name", a.Name, "slot", a.Slot,
				"app_code", app.Code, "app_payload", bytes.Clone(app.Payload))
			resp = a.Answer(app, s.now)
		}
	}
	if app == nil {
		pairs = append(pairs, "admitted", false, "operation", uint8(0), "name", "", "slot", uint8(0), "app_code", uint8(0), "app_payload", "")
	}
	got := s.reason(req, resp)
	if got != want {
		s.t.Errorf("%s, step %d %q: reason %d (%v), want %d", s.id, s.n, name, got, got, want)
	}
	s.v.add("step", s.id+"/"+name, append(pairs, "response", coapBytes(resp, 2, s.n, token))...)
	return resp
}

// reason reads the reason of an answer, and notes where it was denied.
func (s *script) reason(req, resp *coap.Message) (r Reason) {
	if value, _ := req.Get(coap.OptionRequest); len(value) > 0 && value[0]&privateBit != 0 && resp.Code == coap.CodeChanged {
		inner, ok := s.cipher.decrypt(directionAnswer, s.sequence, resp.Payload)
		if !ok {
			s.t.Errorf("%s, step %d: the answer does not decrypt", s.id, s.n)
			return ReasonNone
		}
		resp = inner
	}
	s.denied = Denial{}
	if resp.Success() {
		return ReasonNone
	}
	r, s.denied.Frame, s.denied.Constraint = readError(resp.Payload)
	s.denied.Reason = r
	return r
}

// deny is step with an answer of reason 11 or 12, and checks the place that is told.
func (s *script) deny(name string, req *coap.Message, want Denial) *coap.Message {
	s.t.Helper()
	resp := s.step(name, req, want.Reason)
	if s.denied != want {
		s.t.Errorf("%s, step %d %q: %+v, want %+v", s.id, s.n, name, s.denied, want)
	}
	return resp
}

// caller makes requests byte by byte, so that a script can make wrong ones too.
type caller struct {
	s       *script
	c       *Capability
	mirror  uint8
	nonce   [nonceSize]byte
	cookie  [cookieSize]byte
	carried []byte
	tick    uint32 // of the cookie
	t       *tagger
	slot    uint8

	also       []*Capability
	discharges []*Discharge
	private    uint8 // privateBit: requests are encrypted
}

// hello asks for a cookie.
func (s *script) hello(name string, c *Capability) *caller {
	s.t.Helper()
	return s.helloMirror(name, c, false)
}

func (s *script) helloMirror(name string, c *Capability, mirror bool) *caller {
	s.t.Helper()
	return s.helloWith(name, &caller{c: c, mirror: mirrorFlag(mirror)})
}

// helloWith asks for the cookie of a caller that is set up in part.
func (s *script) helloWith(name string, k *caller) *caller {
	s.t.Helper()
	k.s, k.nonce = s, [nonceSize]byte(bytesFor(s.id+name, nonceSize))
	h := &Hello{Mirror: k.mirror != 0, capability: k.c, nonce: k.nonce}
	resp := s.step("hello-"+name, h.Message(), ReasonNone)
	k.useCookie([cookieSize]byte(resp.Payload), s.now.Tick)
	return k
}

func (k *caller) useCookie(cookie [cookieSize]byte, tick uint32) {
	k.cookie, k.tick = cookie, tick
	h := &Hello{capability: k.c, Also: k.also, Discharges: k.discharges, nonce: k.nonce}
	ks, carried, err := h.prove(cookie)
	if err != nil {
		panic(err)
	}
	k.carried, k.t = carried, newTagger(ks)
}

// open returns an OPEN of m.
func (k *caller) open(sequence uint32, hold uint8, m *coap.Message) *coap.Message {
	m = k.hide(sequence, m)
	m.Set(coap.OptionRequest, appendOpen(nil, k.mirror|k.private, k.nonce, k.cookie, sequence, hold, k.carried))
	return k.sign(slotOpening, sequence, k.tick, hold, m)
}

// request returns a SESSION of m, with frames a SESSION-FRAMES.
func (k *caller) request(sequence, tick uint32, hold uint8, m *coap.Message, frames []byte) *coap.Message {
	m = k.hide(sequence, m)
	m.Set(coap.OptionRequest, appendSession(nil, k.mirror|k.private, k.slot, sequence, uint16(tick), hold, frames))
	return k.sign(k.slot, sequence, tick, hold, m)
}

// hide returns the outer request of a private one.
func (k *caller) hide(sequence uint32, m *coap.Message) *coap.Message {
	if k.private == 0 {
		return m
	}
	return &coap.Message{Code: coap.CodePOST, Payload: k.t.encrypt(directionRequest, sequence, m)}
}

// inner returns a private request that holds these bytes.
func (k *caller) inner(sequence, tick uint32, hold uint8, plain, frames []byte) *coap.Message {
	sealed := k.t.cipher(directionRequest).Seal(nil, privateNonce(sequence), plain, nil)
	return k.outer(sequence, tick, hold, &coap.Message{Code: coap.CodePOST, Payload: sealed}, frames)
}

// outer returns a request of the caller's form of m as it stands.
func (k *caller) outer(sequence, tick uint32, hold uint8, m *coap.Message, frames []byte) *coap.Message {
	m.Set(coap.OptionRequest, appendSession(nil, k.mirror|k.private, k.slot, sequence, uint16(tick), hold, frames))
	return k.sign(k.slot, sequence, tick, hold, m)
}

func (k *caller) sign(slot uint8, sequence, tick uint32, hold uint8, m *coap.Message) *coap.Message {
	sum, err := k.t.request(newMAC(), slot, sequence, tick, hold, m)
	if err != nil {
		// A message with an option that no tag covers: the tag is junk then, which no verifier gets to see.
		sum = [keySize]byte{}
	}
	value, _ := m.Get(coap.OptionRequest)
	cut := requestTagSize(value)
	copy(value[len(value)-cut:], sum[:])
	if k.s != nil {
		k.s.cipher, k.s.sequence = k.t, sequence
	}
	return m
}

// opened runs hello and an opening read, and notes the slot.
func (s *script) opened(name string, c *Capability) *caller {
	s.t.Helper()
	k := s.hello(name, c)
	resp := s.step("open-"+name, k.open(1, 100, callMessage("valve", 1)), ReasonNone)
	k.noteSlot(resp)
	return k
}

func (k *caller) noteSlot(resp *coap.Message) {
	if value, ok := resp.Get(coap.OptionResponse); ok {
		k.slot = value[1]
	}
}

func callMessage(name string, payload ...byte) *coap.Message {
	m := &coap.Message{Code: coap.CodePOST, Payload: payload}
	m.Add(coap.OptionURIPath, []byte("f"))
	m.Add(coap.OptionURIPath, []byte(name))
	return m
}

func readMessage(name string, queries ...string) *coap.Message {
	m := &coap.Message{Code: coap.CodeGET}
	m.Add(coap.OptionURIPath, []byte("l"))
	m.Add(coap.OptionURIPath, []byte(name))
	for _, q := range queries {
		m.Add(coap.OptionURIQuery, []byte(q))
	}
	return m
}

func plainMessage(code uint8, path ...string) *coap.Message {
	m := &coap.Message{Code: code}
	for _, p := range path {
		m.Add(coap.OptionURIPath, []byte(p))
	}
	return m
}

// wide is a capability of branch 3 that admits everything; its nonce tells it from others.
func wide(t testing.TB, nonce byte, more ...FrameSpec) *Capability {
	t.Helper()
	return branchCapability(t, 3, 2, nonce, more...)
}

func branchCapability(t testing.TB, branch, generation, nonce byte, more ...FrameSpec) *Capability {
	t.Helper()
	h := Header{Branch: branch, Epoch: 1, Generation: generation, Nonce: [4]byte{0xc0, 0, 0, nonce}}
	c, err := Mint(testService(), testKey().Branch(1, branch, generation), h, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range more {
		if c, err = c.extend(mustFrame(t, s)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func name(format string, args ...any) string { return fmt.Sprintf(format, args...) }
