package capability

import (
	"bytes"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/coap"
)

// What an attacker on the way can do with what it has seen: the exact answer, and that nothing runs.
func TestSeenRequests(t *testing.T) {
	m := newMeeting(t, nil)
	s := m.session(Owner(testService(), testKey(), 1))
	m.ask(s, callMessage("valve", 1))
	protect := func(value byte) *coap.Message {
		req := callMessage("valve", value)
		if _, err := s.Protect(req, 0, m.now); err != nil {
			t.Fatal(err)
		}
		return req
	}
	first, second := protect(2), protect(3)
	answer := m.do(second)
	ran := m.runs
	for _, c := range []struct {
		id  string
		req func() *coap.Message
		at  *Guard
		r   Reason
		// tagged answers say so themselves
		tagged bool
	}{
		{"the answer, reflected as a request", func() *coap.Message {
			bad := answer.Clone()
			v, _ := bad.Get(coap.OptionResponse)
			bad.Remove(coap.OptionResponse)
			bad.Code = coap.CodePOST
			bad.Add(coap.OptionRequest, append(bytes.Clone(v), 0, 0, 0))
			return bad
		}, m.g, ReasonTag, false},
		{"with the answer's tag", func() *coap.Message {
			bad := first.Clone()
			v, _ := bad.Get(coap.OptionRequest)
			a, _ := answer.Get(coap.OptionResponse)
			copy(v[len(v)-tagSize:], a[len(a)-tagSize:])
			return bad
		}, m.g, ReasonTag, false},
		{"with the tag of another request", func() *coap.Message {
			bad := first.Clone()
			v, _ := bad.Get(coap.OptionRequest)
			w, _ := second.Get(coap.OptionRequest)
			copy(v[len(v)-tagSize:], w[len(w)-tagSize:])
			return bad
		}, m.g, ReasonTag, false},
		{"at another service with the same slot open", first.Clone, otherService(t), ReasonTag, false},
		{"at another service without a session", first.Clone, bareService(t), ReasonNoSession, false},
		{"at the mirror verifier", first.Clone, mirrorOf(t), ReasonMalformed, false},
	} {
		a, resp := c.at.Check(c.req(), m.verifierNow())
		_, tagged := resp.Get(coap.OptionResponse)
		if a != nil || !refusedWith(resp, c.r) || tagged != c.tagged {
			t.Errorf("%s: admitted %v, tagged %v, %x, want reason %d", c.id, a != nil, tagged, resp.Payload, c.r)
		}
	}
	if resp := m.do(first); refusedWith(resp, ReasonSequence) || m.runs != ran+1 {
		t.Errorf("out of order within the window: %x, ran %d times", resp.Payload, m.runs-ran)
	}
	for _, replayed := range []*coap.Message{second, first, second} {
		if resp := m.do(replayed); m.runs != ran+1 || !refusedWith(resp, ReasonSequence) && !resp.Success() {
			t.Errorf("replayed: %x", resp.Payload)
		}
	}
	for i := range byte(40) {
		m.do(protect(i))
	}
	ran = m.runs
	if resp := m.do(second); !refusedWith(resp, ReasonSequence) || m.runs != ran {
		t.Errorf("replayed below the window: %x", resp.Payload)
	}
}

func otherService(t *testing.T) *Guard {
	t.Helper()
	ke := testKey()
	ke[0] ^= 1 // the keys are its own, as those of every service
	m := newMeeting(t, func(cfg *GuardConfig) { cfg.CookieKey, cfg.BranchKey = ke.CookieKey(scriptBoot), ke.BranchKeys(1) })
	m.ask(m.session(Owner(testService(), ke, 1)), callMessage("valve", 1))
	return m.g
}

func bareService(t *testing.T) *Guard { return newMeeting(t, nil).g }

func mirrorOf(t *testing.T) *Guard {
	return newMeeting(t, func(cfg *GuardConfig) { cfg.Mirror = true }).g
}

// Two who hold one capability use it at once: each has a session of its own, neither hears of the other, and they cannot use each
// other's requests.
func TestTwoHolders(t *testing.T) {
	m := newMeeting(t, func(cfg *GuardConfig) { cfg.Generations[3] = 2 })
	c, err := Parse(testChain(t, 2).Text())
	if err != nil {
		t.Fatal(err)
	}
	one, two := m.session(testChain(t, 2)), m.session(c)
	for i := range byte(20) {
		for _, s := range []*Session{one, two} {
			if v := m.ask(s, callMessage("valve", i)); v.Reason != ReasonNone || !v.Tagged {
				t.Fatalf("request %d: %+v", i, v)
			}
		}
	}
	req := callMessage("valve", 1)
	p, err := one.Protect(req, 0, m.now)
	if err != nil {
		t.Fatal(err)
	}
	v, _ := req.Get(coap.OptionRequest)
	taken := req.Clone()
	tv, _ := taken.Get(coap.OptionRequest)
	tv[1] = two.slot
	if a, resp := m.g.Check(taken, m.verifierNow()); a != nil || !refusedWith(resp, ReasonTag) {
		t.Errorf("in the other's session: %x", resp.Payload)
	}
	resp := m.do(req)
	if _, err := two.Verify(p, resp, m.now); err == nil {
		t.Error("the other takes the answer")
	}
	if got, err := one.Verify(p, resp, m.now); err != nil || got.Reason != ReasonNone || v[1] == two.slot {
		t.Errorf("%+v, %v", got, err)
	}
}

// Counters that end: none starts again from 0.
func TestCountersEnd(t *testing.T) {
	m := newMeeting(t, func(cfg *GuardConfig) { cfg.Counters = &MemoryCounters{} })
	c := branchCapability(t, 0, 0, 1, counting(255, 0))
	m.g.Reserve(0, c.Identity())
	s := m.session(c)
	for i := range 255 {
		if v := m.ask(s, callMessage("valve", byte(i))); v.Reason != ReasonNone {
			t.Fatalf("request %d of 255: %+v", i+1, v)
		}
		m.now = m.now.Add(10 * time.Millisecond)
	}
	if v := m.ask(s, callMessage("valve", 1)); v.Reason != ReasonDenied || v.Constraint != TypeCount || m.runs != 255 {
		t.Errorf("request 256: %+v, ran %d", v, m.runs)
	}
	if err := m.g.cfg.Counters.Raise(0); err == nil {
		t.Error("a cell counts beyond 255")
	}

	last := newMeeting(t, func(cfg *GuardConfig) { cfg.Epoch, cfg.BranchKey = 0xffff, testKey().BranchKeys(0xffff) })
	owner := last.session(Owner(testService(), testKey(), 0xffff))
	last.ask(owner, callMessage("valve", 1))
	req := managing("e", append([]byte{0, 0}, make([]byte, 32)...)...)
	if _, err := owner.Protect(req, 0, last.now); err != nil {
		t.Fatal(err)
	}
	a, _ := last.g.Check(req, last.verifierNow())
	if _, _, r := a.Epoch(); r != ReasonArgument {
		t.Errorf("the epoch after the last: %v, want reason 22", r)
	}
	full := newMeeting(t, func(cfg *GuardConfig) { cfg.Generations[3] = 255 })
	manager := full.session(Owner(testService(), testKey(), 1))
	full.ask(manager, callMessage("valve", 1))
	down := managing("g", 3, 0)
	if _, err := manager.Protect(down, 0, full.now); err != nil {
		t.Fatal(err)
	}
	a, _ = full.g.Check(down, full.verifierNow())
	if _, _, r := a.Generation(); r != ReasonArgument {
		t.Errorf("the generation after the last: %v, want reason 22", r)
	}

	// A count that cannot be stored lets nothing act.
	broken := newMeeting(t, func(cfg *GuardConfig) { cfg.Counters = &brokenCounters{} })
	broken.g.cfg.Counters.(*brokenCounters).id = c.Identity()
	if v := broken.ask(broken.session(c), callMessage("valve", 1)); v.Reason != ReasonStorage || !v.Tagged || broken.runs != 0 {
		t.Errorf("a count that is not stored: %+v, ran %d", v, broken.runs)
	}
}

// brokenCounters can be read and not written.
type brokenCounters struct{ id Identity }

func (b *brokenCounters) Cell(cell uint8) (Identity, uint8, bool) { return b.id, 0, cell == 0 }
func (b *brokenCounters) Raise(uint8) error                       { return errCell }
func (b *brokenCounters) Reserve(uint8, Identity) error           { return errCell }

// Whoever narrows a pair narrows both halves, and a half that nothing can be read with is not there.
func TestPairs(t *testing.T) {
	c := testPair(t)
	again, err := Parse(c.Text())
	if err != nil || again.Text() != c.Text() || again.Mirror() == nil {
		t.Fatalf("Parse(Text()): %v, %v", again, err)
	}
	mirror := again.Mirror()
	m := newMeeting(t, func(cfg *GuardConfig) { cfg.Mirror, cfg.Generations[BranchMirror] = true, 5 })
	if v := m.ask(m.session(mirror), readMessage("temperature")); v.Reason != ReasonNone {
		t.Errorf("the mirror half reads: %+v", v)
	}
	if v := m.ask(m.session(mirror), readMessage("events")); v.Reason != ReasonDenied || v.Frame != 2 {
		t.Errorf("what the narrowed half must not: %+v", v)
	}
	d := newMeeting(t, func(cfg *GuardConfig) { cfg.Generations[3] = 2 })
	if v := d.ask(d.session(again), readMessage("temperature")); v.Reason != ReasonNone {
		t.Errorf("the direct half reads: %+v", v)
	}
	third, err := c.ThirdParty(newRandom(1), guardCapability(t))
	if err != nil {
		t.Fatal(err)
	}
	for id, spec := range map[string]FrameSpec{
		"call only":     grantCall(3),
		"bound":         {Limits: []Limit{{Type: TypeBound, Bound: Bound{Width: 1}}}},
		"count":         counting(3, 0),
		"lease":         {Limits: []Limit{{Type: TypeLease}}},
		"third party":   {Limits: []Limit{third}},
		"unknown limit": {Limits: []Limit{{Type: 31}}},
	} {
		child, err := c.Attenuate(newRandom(1), spec)
		if err != nil || child.Mirror() != nil {
			t.Errorf("%s: %v, mirror %v, want none", id, err, child.Mirror())
		}
	}
	narrow, err := c.Attenuate(newRandom(1), FrameSpec{Limits: []Limit{{Type: TypeHold, Hold: 9}}})
	if err != nil || narrow.Mirror() == nil || !bytes.Equal(narrow.Mirror().Frames[2], narrow.Frames[2]) {
		t.Errorf("a hold: %v, mirror %v", err, narrow.Mirror())
	}
	if _, err := MintPair(testService(), BranchKey{}, Header{Branch: BranchMirror}, BranchKey{}, 0, nil); err == nil {
		t.Error("a pair of two mirror halves")
	}
}

// The deny list ends a capability and what was narrowed from it, at the next request of an open session too.
func TestDenyList(t *testing.T) {
	denied := map[[16]byte]bool{}
	m := newMeeting(t, func(cfg *GuardConfig) {
		cfg.Generations[3], cfg.Denied = 2, func(f [16]byte) bool { return denied[f] }
	})
	parent, child := testChain(t, 1), testChain(t, 2)
	s, other := m.session(child), m.session(wide(t, 5))
	for _, s := range []*Session{s, other} {
		if v := m.ask(s, callMessage("valve", 1)); v.Reason != ReasonNone {
			t.Fatalf("%+v", v)
		}
	}
	denied[parent.Fingerprint()] = true
	if v := m.ask(s, callMessage("valve", 1)); v.Reason != ReasonDenyListed || v.Tagged {
		t.Errorf("in its session: %+v", v)
	}
	if v := m.ask(s, callMessage("valve", 1)); v.Reason != ReasonNoSession {
		t.Errorf("and the session goes on: %+v", v)
	}
	if v := m.ask(m.session(child), callMessage("valve", 1)); v.Reason != ReasonDenyListed || v.Tagged {
		t.Errorf("opened anew: %+v", v)
	}
	if v := m.ask(other, callMessage("valve", 1)); v.Reason != ReasonNone {
		t.Errorf("another one: %+v", v)
	}
	list := fingerprintsOf(child.Carried())
	if len(list) != 2 || list[0] != parent.Fingerprint() || list[1] != child.Fingerprint() || fingerprintsOf([]byte{1}) != nil {
		t.Errorf("Fingerprints = %x", list)
	}
	req := callMessage("valve", 1)
	if _, err := m.session(child).Protect(req, 0, m.now); err != nil {
		t.Fatal(err)
	}
	if carried, ok := carriedForm(req); !ok || !bytes.Equal(carried, child.Carried()) {
		t.Errorf("CarriedForm = %x, %v", carried, ok)
	}
}

// Whom a capability is for: only a verifier that knows its peers can tell.
func TestAudience(t *testing.T) {
	m := newMeeting(t, func(cfg *GuardConfig) { cfg.Generations[3] = 2 })
	c := wide(t, 1, FrameSpec{Limits: []Limit{{Type: TypeAudience, Audience: testPeer()}}})
	s := m.session(c)
	if v := m.ask(s, callMessage("valve", 1)); v.Reason != ReasonNotEvaluable || v.Constraint != TypeAudience {
		t.Errorf("peer not known: %+v", v)
	}
	for _, peer := range []edgeistry.PeerKey{testPeer(), {1}} {
		req := callMessage("valve", 1)
		if _, err := s.Protect(req, 0, m.now); err != nil {
			t.Fatal(err)
		}
		a, resp := m.g.CheckFrom(peer, req, m.verifierNow())
		if (a != nil) != (peer == testPeer()) || a == nil && !refusedWith(resp, ReasonDenied) {
			t.Errorf("peer %v: admitted %v", peer, a != nil)
		}
	}
}

// A private exchange says on the way neither what was asked nor what was answered.
func TestPrivateExchange(t *testing.T) {
	m := newMeeting(t, func(cfg *GuardConfig) { cfg.EnablePrivacy = true })
	s := m.session(Owner(testService(), testKey(), 1))
	s.EnablePrivacy()
	for i := range byte(3) {
		req := callMessage("valve", []byte("a secret argument")...)
		req.Payload[0] += i
		asked := bytes.Clone(req.Payload)
		p, err := s.Protect(req, 0, m.now)
		if err != nil {
			t.Fatal(err)
		}
		resp := m.do(req)
		wire := append(coapBytes(req, 0, 0, nil), coapBytes(resp, 2, 0, nil)...)
		for _, secret := range [][]byte{[]byte("valve"), []byte("argument")} {
			if bytes.Contains(wire, secret) {
				t.Errorf("%q can be read on the way: %x", secret, wire)
			}
		}
		if v, err := s.Verify(p, resp, m.now); err != nil || !v.Tagged || v.Reason != ReasonNone || !bytes.Equal(resp.Payload, asked) {
			t.Errorf("request %d: %+v, %v, %q", i, v, err, resp.Payload)
		}
	}
	if _, err := s.Protect(withObserve(readMessage("temperature"), 0), 0, m.now); err == nil {
		t.Error("a private observation")
	}
	req := callMessage("valve", 1)
	p, err := s.Protect(req, 0, m.now)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := m.g.Check(req, m.verifierNow())
	open := &coap.Message{Code: coap.CodeChanged, Payload: []byte("in the open")}
	a.Private = false
	if _, err := s.Verify(p, a.Answer(open, m.verifierNow()), m.now); err == nil {
		t.Error("an answer in the open is taken for a private request")
	}
}

// Who answers a private request twice gives two answers under one nonce: the second is the bare reason 9.
func TestPrivateAnswerOnce(t *testing.T) {
	m := newMeeting(t, func(cfg *GuardConfig) { cfg.EnablePrivacy = true })
	s := m.session(Owner(testService(), testKey(), 1))
	s.EnablePrivacy()
	req := callMessage("valve", 1)
	if _, err := s.Protect(req, 0, m.now); err != nil {
		t.Fatal(err)
	}
	a, _ := m.g.Check(req, m.verifierNow())
	if first := a.Answer(&coap.Message{Code: coap.CodeChanged, Payload: []byte("one")}, m.verifierNow()); first.Code != coap.CodeChanged {
		t.Errorf("the first answer: %x", first.Payload)
	}
	if second := a.Answer(&coap.Message{Code: coap.CodeChanged, Payload: []byte("another")}, m.verifierNow()); !refusedWith(second, ReasonResultGone) {
		t.Errorf("the second answer: %x, want the bare reason 9", second.Payload)
	}
}

func TestHelloWithTooMuch(t *testing.T) {
	owner := Owner(testService(), testKey(), 1)
	long := branchCapability(t, 3, 0, 1, FrameSpec{Limits: []Limit{{Type: TypeProgram, Program: make([]byte, 46)}}}, FrameSpec{Limits: []Limit{{Type: TypeProgram, Program: make([]byte, 46)}}},
		FrameSpec{Limits: []Limit{{Type: TypeProgram, Program: make([]byte, 46)}}})
	other, err := Mint(edgeistry.ServiceID{1}, BranchKey{}, Header{Branch: 2, Epoch: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for id, also := range map[string][]*Capability{
		"twice the same":  {owner},
		"another service": {other},
		"too long":        {long, branchCapability(t, 4, 0, 2, FrameSpec{Limits: []Limit{{Type: TypeProgram, Program: make([]byte, 46)}}})},
		"five":            {wide(t, 1), wide(t, 2), wide(t, 3), wide(t, 4)},
	} {
		h, err := owner.NewHello(newRandom(1))
		if err != nil {
			t.Fatal(err)
		}
		h.Also = also
		if _, err := h.Open(make([]byte, cookieSize), time.Now()); err == nil {
			t.Errorf("%s: opened", id)
		}
	}
}
