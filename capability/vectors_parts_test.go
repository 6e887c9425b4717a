package capability

import "testing"

// grantCall lets valve be called with at most top.
func grantCall(top int64) FrameSpec {
	return FrameSpec{Grants: []Grant{
		{Operations: Call, Name: "valve", Parts: []Limit{{Type: TypeBound, Bound: Bound{Width: 1, Max: top}}}},
	}}
}

func also(branch uint8, nonce ...byte) FrameSpec {
	a := Also{Branch: branch}
	if len(nonce) == 4 {
		a.HasNonce, a.Nonce = true, [4]byte(nonce)
	}
	return FrameSpec{Limits: []Limit{{Type: TypeAlso, Also: a}}}
}

func playParts(t *testing.T, v *vectors) {
	s := newScript(t, v, "parts", func(cfg *GuardConfig) { cfg.Slots = 8 })
	defer s.end()
	valve := wide(t, 1, also(4), grantCall(90))
	pass := branchCapability(t, 4, 0, 7, grantCall(30))
	k := s.helloWith("two", &caller{c: valve, also: []*Capability{pass}})
	k.noteSlot(s.step("open-two", k.open(1, 100, callMessage("valve", 30)), 0))
	s.deny("part-2-denies", k.request(2, s.now.Tick, 100, callMessage("valve", 31), k.frames()), denied(32+2, TypeBound))
	s.deny("part-1-denies-first", k.request(3, s.now.Tick, 100, callMessage("valve", 91), k.frames()), denied(3, TypeBound))
	s.step("both-hold", k.request(4, s.now.Tick, 100, callMessage("valve", 1), k.frames()), 0)
	s.deny("grant-of-part-1", k.request(5, s.now.Tick, 100, readMessage("temperature"), k.frames()), denied(3, TypeGrant))

	alone := s.hello("alone", valve)
	s.deny("first-alone", alone.open(1, 100, callMessage("valve", 1)), denied(2, TypeAlso))
	other := s.hello("pass", pass)
	s.step("second-alone-needs-none", other.open(1, 100, callMessage("valve", 1)), 0)
	wrong := s.helloWith("wrong-branch", &caller{c: valve, also: []*Capability{wide(t, 2)}})
	s.deny("no-part-of-branch-4", wrong.open(1, 100, callMessage("valve", 1)), denied(2, TypeAlso))
	named := wide(t, 3, also(4, 0xc0, 0, 0, 7))
	right := s.helloWith("right-nonce", &caller{c: named, also: []*Capability{pass}})
	s.step("that-nonce", right.open(1, 100, callMessage("valve", 1)), 0)
	bad := s.helloWith("wrong-nonce", &caller{c: named, also: []*Capability{branchCapability(t, 4, 0, 8)}})
	s.deny("another-nonce", bad.open(1, 100, callMessage("valve", 1)), denied(2, TypeAlso))
	own := s.hello("own-branch", wide(t, 4, also(3)))
	s.deny("not-itself", own.open(1, 100, callMessage("valve", 1)), denied(2, TypeAlso))

	s.now.Tick += minResidency + 1
	four := s.helloWith("four", &caller{c: wide(t, 11), also: []*Capability{wide(t, 12), wide(t, 13), wide(t, 14, grantCall(9))}})
	four.noteSlot(s.step("open-four", four.open(1, 100, callMessage("valve", 9)), 0))
	s.deny("part-4-denies", four.request(2, s.now.Tick, 100, callMessage("valve", 10), four.frames()), denied(96+2, TypeBound))
	swapped := s.helloWith("swapped", &caller{c: pass, also: []*Capability{valve}})
	s.step("the-other-order-is-another-session", swapped.open(1, 100, callMessage("valve", 3)), 0)

	s.now.Tick += minResidency + 1
	mixed := s.helloWith("with-the-mirror", &caller{c: wide(t, 21), also: []*Capability{branchCapability(t, BranchMirror, 0, 21)}})
	mixed.noteSlot(s.step("read-with-a-mirror-part", mixed.open(1, 100, readMessage("temperature")), 0))
	s.deny("call-with-a-mirror-part", mixed.request(2, s.now.Tick, 100, callMessage("valve", 1), mixed.frames()), denied(0, 0))
	owner := s.helloWith("owner-and-guest", &caller{c: Owner(testService(), testKey(), 1), also: []*Capability{wide(t, 22)}})
	s.deny("manage-with-a-guest", owner.open(1, 100, managing("g", 3, 3)), denied(0, 0))
	s.now.Tick += minResidency + 1
	k = s.helloWith("two-again", &caller{c: valve, also: []*Capability{pass}})
	k.noteSlot(s.step("open-two-again", k.open(1, 100, callMessage("valve", 30)), 0))
	s.bump(4, 1)
	s.step("a-generation-of-any-part-ends-it", k.request(2, s.now.Tick, 100, callMessage("valve", 1), k.frames()), ReasonNoSession)
	s.step("not-of-another", four.request(3, s.now.Tick, 100, callMessage("valve", 1), four.frames()), 0)
	late := s.helloWith("late", &caller{c: valve, also: []*Capability{pass}})
	s.step("part-2-of-an-old-generation", late.open(1, 100, callMessage("valve", 1)), ReasonGeneration)
}

// frames is what a SESSION-FRAMES of the caller brings, where the slot keeps none.
func (k *caller) frames() []byte {
	if len(k.carried) <= keptCarried {
		return nil
	}
	return k.carried
}

func playPartsRefused(t *testing.T, v *vectors) {
	s := newScript(t, v, "parts-refused", nil)
	defer s.end()
	a, b := wide(t, 1, grantCall(30)), branchCapability(t, 4, 0, 1)
	k := s.helloWith("a", &caller{c: a, also: []*Capability{b}})
	good := k.carried
	one := a.Carried()
	open := func(id string, carried []byte, want Reason) {
		t.Helper()
		k.carried = carried
		s.step(id, k.open(1, 100, callMessage("valve", 1)), want)
	}
	with := func(change func(*Header)) []byte {
		c := branchCapability(t, 4, 0, 1)
		change(&c.Header)
		return append(append(append([]byte(nil), one...), partMark), c.Carried()...)
	}
	open("nothing-behind-the-mark", append(append([]byte(nil), one...), partMark), ReasonMalformed)
	open("half-a-header", good[:len(one)+1+11], ReasonMalformed)
	open("no-frame-in-part-2", good[:len(one)+1+12], ReasonMalformed)
	open("another-mark", changed(good, len(one), 0xe1), ReasonMalformed)
	open("mark-of-a-token", changed(good, len(one), 0xff), ReasonMalformed)
	open("twice-the-same", append(append(append([]byte(nil), one...), partMark), one...), ReasonMalformed)
	open("other-frames-of-the-same", append(append(append([]byte(nil), one...), partMark), wide(t, 1).Carried()...), ReasonMalformed)
	open("other-hint-in-part-2", with(func(h *Header) { h.Hint[0] ^= 1 }), ReasonMalformed)
	open("other-epoch-in-part-2", with(func(h *Header) { h.Epoch++ }), ReasonMalformed)
	open("other-version-in-part-2", changed(good, len(one)+1, 0x24), ReasonMalformed)
	five := append([]byte(nil), one...)
	for i := range byte(4) {
		five = append(append(five, partMark), branchCapability(t, 4, 0, i).Carried()...)
	}
	open("five-parts", five, ReasonMalformed)
	open("generation-of-part-2", with(func(h *Header) { h.Generation = 9 }), ReasonGeneration)
	open("part-taken-away", one, ReasonTag)
	open("frame-added-to-part-2", append(append([]byte(nil), good...), 0), ReasonTag)
	nonce := with(func(h *Header) { h.Nonce[0] ^= 1 })
	open("nonce-of-part-2", nonce, ReasonTag)
	discharge := func(mark byte, length int, frame ...byte) []byte {
		d := append(append(append([]byte(nil), one...), mark, byte(length)), frame...)
		return append(d, make([]byte, bindingSize)...)
	}
	open("discharge-of-frame-0", discharge(0xf0, 0), ReasonMalformed)
	open("discharge-of-frame-5", discharge(0xf5, 0), ReasonMalformed)
	open("discharge-of-49", discharge(0xf1, 49, make([]byte, 49)...), ReasonMalformed)
	open("discharge-cut", discharge(0xf1, 3), ReasonMalformed)
	open("discharges-out-of-order", append(discharge(0xf2, 0), discharge(0xf1, 0)[len(one):]...), ReasonMalformed)
	open("two-discharges-of-a-frame", append(discharge(0xf1, 0), discharge(0xf1, 0)[len(one):]...), ReasonMalformed)
	open("frame-behind-a-discharge", append(discharge(0xf1, 0), 0), ReasonMalformed)
	open("discharge-added-on-the-way", discharge(0xf1, 0), ReasonTag)
	open("all-well", good, 0)
}

// guardCapability is what the owner of the frames and the guard of another service share.
func guardCapability(t testing.TB) *Capability {
	t.Helper()
	c, err := Mint(testService(), testKey().Branch(1, 9, 0), Header{Branch: 9, Epoch: 1, Nonce: [4]byte{0xd0, 0, 0, 1}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// demanding adds a frame that demands the guard's word, and what more has.
func demanding(t testing.TB, c, guard *Capability, more ...Limit) *Capability {
	t.Helper()
	l, err := c.ThirdParty(newRandom(9), guard)
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.extend(mustFrame(t, FrameSpec{Limits: append([]Limit{l}, more...)}))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func discharge(t testing.TB, guard *Capability, s FrameSpec) *Discharge {
	t.Helper()
	d, err := guard.Discharge(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func playDischarges(t *testing.T, v *vectors) {
	s := newScript(t, v, "discharges", func(cfg *GuardConfig) { cfg.Slots = 8 })
	defer s.end()
	guard := guardCapability(t)
	c := demanding(t, wide(t, 1), guard)
	word := discharge(t, guard, grantCall(20))
	k := s.helloWith("a", &caller{c: c, discharges: []*Discharge{word}})
	open := k.open(1, 100, callMessage("valve", 20))
	k.noteSlot(s.step("open", open, 0))
	s.step("open-again", open.Clone(), 0)
	s.deny("discharge-denies", k.request(2, s.now.Tick, 100, callMessage("valve", 21), k.frames()), denied(16+2, TypeBound))
	s.step("discharge-holds", k.request(3, s.now.Tick, 100, callMessage("valve", 19), k.frames()), 0)
	s.step("without-the-discharge", k.request(4, s.now.Tick, 100, callMessage("valve", 19), c.Carried()), ReasonTag)

	none := s.hello("none", c)
	none.noteSlot(s.deny("no-discharge", none.open(1, 100, callMessage("valve", 1)), denied(2, TypeThirdParty)))
	s.deny("and-the-session-stays", none.request(2, s.now.Tick, 100, callMessage("valve", 1), none.frames()), denied(2, TypeThirdParty))

	refused := func(id string, k *caller, place int) {
		t.Helper()
		s.now.Tick += minResidency + 1
		k = s.helloWith(id, k)
		open := k.open(1, 100, callMessage("valve", 1))
		k.noteSlot(s.deny(id, open, denied(place, TypeThirdParty)))
		s.step(id+"-ended", k.request(2, s.now.Tick, 100, callMessage("valve", 1), k.frames()), ReasonNoSession)
		s.step(id+"-again", open.Clone(), ReasonCookieUsed)
	}
	forged := discharge(t, guard, FrameSpec{})
	forged.key[0] ^= 1
	refused("forged", &caller{c: c, discharges: []*Discharge{forged}}, 16+2)
	widened := discharge(t, guard, grantCall(20))
	widened.Frame = mustFrame(t, grantCall(255))
	refused("widened", &caller{c: c, discharges: []*Discharge{widened}}, 16+2)
	stolen := &caller{c: c, discharges: []*Discharge{word}}
	stolen = s.helloWith("stolen", stolen)
	seen := append([]byte(nil), k.carried[len(k.carried)-bindingSize:]...) // of the other session
	copy(stolen.carried[len(stolen.carried)-bindingSize:], seen)
	s.deny("seen-in-another-session", stolen.open(1, 100, callMessage("valve", 1)), denied(16+2, TypeThirdParty))

	// The caller's own library would not send these.
	append2 := func(id string, c *Capability, mark byte, place int) {
		t.Helper()
		s.now.Tick += minResidency + 1
		k := s.hello(id, c)
		bound := binding(word.key, sessionKey(c.key, k.nonce, k.cookie))
		k.carried = appendDischarge(k.carried, int(mark), boundDischarge{word.Frame, bound[:]})
		s.deny(id, k.open(1, 100, callMessage("valve", 1)), denied(place, TypeThirdParty))
	}
	append2("for-a-frame-that-demands-none", c, 1, 16+1)
	append2("for-a-frame-that-is-not-there", c, 3, 16+3)

	two := demanding(t, demanding(t, wide(t, 2), guard), guard)
	s.now.Tick += minResidency + 1
	both := s.helloWith("both-frames", &caller{c: two, discharges: []*Discharge{word}})
	s.step("both-frames-one-word", both.open(1, 100, callMessage("valve", 1)), 0)
	parts := s.helloWith("in-part-2", &caller{c: wide(t, 3), also: []*Capability{c}, discharges: []*Discharge{word}})
	parts.noteSlot(s.step("in-part-2", parts.open(1, 100, callMessage("valve", 1)), 0))
	s.deny("in-part-2-denies", parts.request(2, s.now.Tick, 100, callMessage("valve", 99), parts.frames()), denied(32+16+2, TypeBound))
	refused("forged-in-part-2", &caller{c: wide(t, 4), also: []*Capability{c}, discharges: []*Discharge{forged}}, 32+16+2)

	first, err := Mint(testService(), testKey().Branch(1, 3, 2), Header{Branch: 3, Epoch: 1, Generation: 2, Nonce: [4]byte{0xc0, 0, 0, 5}}, demandOf(t, guard))
	if err != nil {
		t.Fatal(err)
	}
	s.now.Tick += minResidency + 1
	rooted := s.helloWith("frame-1", &caller{c: first, discharges: []*Discharge{word}})
	s.step("in-frame-1", rooted.open(1, 100, callMessage("valve", 1)), 0)

	for _, bad := range []struct {
		id string
		f  string
		t  ConstraintType
	}{
		{"count-in-a-discharge", "52 05 00", TypeCount},
		{"rate-in-a-discharge", "5b 01 0001", TypeRate},
		{"also-in-a-discharge", "81 04", TypeAlso},
		{"malformed-discharge", "4c 01", TypeSalt},
	} {
		s.now.Tick += minResidency + 1
		d := &Discharge{Guard: word.Guard, GuardNonce: word.GuardNonce, Frame: unhex(t, bad.f)}
		d.key = dischargeKey(guard.key, d.Frame)
		k := s.helloWith(bad.id, &caller{c: c, discharges: []*Discharge{d}})
		s.deny(bad.id, k.open(1, 100, callMessage("valve", 1)), denied(16+2, bad.t))
	}
}

// demandOf is a frame 1 that demands the guard's word: its key is masked under the branch key.
func demandOf(t testing.TB, guard *Capability) Frame {
	t.Helper()
	root := &Capability{key: [keySize]byte(testKey().Branch(1, 3, 2))}
	l, err := root.ThirdParty(newRandom(10), guard)
	if err != nil {
		t.Fatal(err)
	}
	return mustFrame(t, FrameSpec{Limits: []Limit{l}})
}
