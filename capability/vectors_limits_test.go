package capability

import (
	"testing"

	"github.com/edgeistry/edgeistry/coap"
)

func playTime(t *testing.T, v *vectors) {
	s := newScript(t, v, "time", nil)
	defer s.end()
	until := s.opened("expiry", wide(t, 1, FrameSpec{Limits: []Limit{{Type: TypeExpiry, Unix: 1_700_000_010}}}))
	s.now.Unix = 1_700_000_009
	s.step("before-expiry", until.request(2, s.now.Tick, 100, callMessage("valve", 1), nil), 0)
	s.now.Unix++
	s.step("expired", until.request(3, s.now.Tick, 100, callMessage("valve", 1), nil), ReasonDenied)
	s.now.Unix = 0
	s.step("clock-unknown", until.request(4, s.now.Tick, 100, callMessage("valve", 1), nil), ReasonNotEvaluable)
	lease := s.opened("lease", wide(t, 2, FrameSpec{Limits: []Limit{{Type: TypeLease, Lease: Lease{scriptBoot, s.now.Tick + 50}}}}))
	s.now.Tick += 50
	s.step("lease-last-tick", lease.request(2, s.now.Tick, 100, callMessage("valve", 1), nil), 0)
	s.now.Tick++
	s.step("lease-over", lease.request(3, s.now.Tick, 100, callMessage("valve", 1), nil), ReasonDenied)
	k := s.hello("other-boot", wide(t, 3, FrameSpec{Limits: []Limit{{Type: TypeLease, Lease: Lease{scriptBoot + 1, 0xffffffff}}}}))
	s.step("lease-of-another-boot", k.open(1, 100, callMessage("valve", 1)), ReasonDenied)
	at := func(unix ...byte) *coap.Message { m := postMessage("t"); m.Payload = unix; return m }
	owner := s.hello("owner", Owner(testService(), testKey(), 1))
	owner.noteSlot(s.step("open-owner", owner.open(1, 100, at(0x65, 0x53, 0xf1, 0, 1)), 0))
	s.step("forward", owner.request(2, s.now.Tick, 100, at(0x65, 0x53, 0xf1, 0), nil), 0)
	other := s.hello("timekeeper", wide(t, 4, FrameSpec{Grants: []Grant{{Operations: Time}}}))
	other.noteSlot(s.step("open-timekeeper", other.open(1, 100, at(0x65, 0x53, 0xf1, 0)), 0))
	s.deny("back-by-a-timekeeper", other.request(2, s.now.Tick, 100, at(0x65, 0x53, 0xf1, 0, 1), nil), Denial{Reason: ReasonDenied})
	narrow := s.hello("narrowed", branchCapability(t, BranchOwner, 0, 0, FrameSpec{}))
	s.deny("back-by-what-was-narrowed-from-the-owners", narrow.open(1, 100, at(0x65, 0x53, 0xf1, 0, 1)), Denial{Reason: ReasonDenied})
}

func playResources(t *testing.T, v *vectors) {
	s := newScript(t, v, "resources", nil)
	defer s.end()
	k := s.opened("a", wide(t, 1))
	n := uint32(1)
	step := func(id string, m *coap.Message, want Reason) {
		t.Helper()
		n++
		s.step(id, k.request(n, s.now.Tick, 100, m, nil), want)
	}
	step("append", postMessage("l", "events"), 0)
	step("observe", withObserve(readMessage("temperature"), 0), 0)
	step("observe-deregister", withObserve(readMessage("temperature"), 1), 0)
	step("time", postMessage("t"), 0)
	step("root", plainMessage(coap.CodeGET), ReasonNotFound)
	step("core", plainMessage(coap.CodeGET, ".well-known", "core"), ReasonNotFound)
	step("protected-hello", postMessage("h"), ReasonNotFound)
	step("protected-claim", postMessage("k"), ReasonNotFound)
	step("other-path", plainMessage(coap.CodeGET, "x", "temperature"), ReasonNotFound)
	step("l-alone", plainMessage(coap.CodeGET, "l"), ReasonNotFound)
	step("three-segments", plainMessage(coap.CodeGET, "l", "temperature", "x"), ReasonNotFound)
	step("empty-name", plainMessage(coap.CodeGET, "l", ""), ReasonNotFound)
	step("name-with-dot-first", plainMessage(coap.CodeGET, "l", ".x"), ReasonNotFound)
	step("name-in-upper-case", plainMessage(coap.CodeGET, "l", "Temperature"), ReasonNotFound)
	step("t-with-name", postMessage("t", "x"), ReasonNotFound)
	step("put-log", plainMessage(coap.CodePUT, "l", "events"), ReasonMethod)
	step("delete-log", plainMessage(coap.CodeDELETE, "l", "events"), ReasonMethod)
	step("get-function", plainMessage(coap.CodeGET, "f", "valve"), ReasonMethod)
	step("get-time", plainMessage(coap.CodeGET, "t"), ReasonMethod)
	step("get-generations", plainMessage(coap.CodeGET, "g"), ReasonMethod)
	step("code-0", plainMessage(0x1f, "f", "valve"), ReasonMethod)
	s.step("no-capability", callMessage("valve", 1), ReasonNeedCapability)
	s.step("no-capability-get", readMessage("temperature"), ReasonNeedCapability)
}

func withObserve(m *coap.Message, value uint32) *coap.Message {
	m.AddUint(coap.OptionObserve, value)
	return m
}

func playGenerations(t *testing.T, v *vectors) {
	s := newScript(t, v, "generations", nil)
	defer s.end()
	manage := plainMessage(coap.CodePOST, "g")
	manage.Payload = []byte{3, 3}
	k := s.opened("branch-3", wide(t, 1))
	four := s.hello("branch-4", branchCapability(t, 4, 0, 1))
	four.noteSlot(s.step("open-branch-4", four.open(1, 100, callMessage("valve", 1)), 0))
	s.step("not-for-branch-3", k.request(2, s.now.Tick, 100, manage.Clone(), nil), ReasonDenied)
	owner := s.opened("owner", Owner(testService(), testKey(), 1))
	s.step("bump-by-the-owner", owner.request(2, s.now.Tick, 100, manage.Clone(), nil), 0)
	s.bump(3, 3)
	s.step("session-ended", k.request(3, s.now.Tick, 100, callMessage("valve", 1), nil), ReasonNoSession)
	s.step("other-branch-goes-on", four.request(2, s.now.Tick, 100, callMessage("valve", 1), nil), 0)
	s.step("owner-goes-on", owner.request(3, s.now.Tick, 100, callMessage("valve", 1), nil), 0)
	again := s.hello("again", wide(t, 1))
	s.step("revoked", again.open(1, 100, callMessage("valve", 1)), ReasonGeneration)
	fresh := s.hello("fresh", branchCapability(t, 3, 3, 1))
	s.step("new-generation", fresh.open(1, 100, callMessage("valve", 1)), 0)
	narrowed := mustFrame(t, FrameSpec{Grants: []Grant{{Operations: Call, Name: "valve"}}})
	child, err := Owner(testService(), testKey(), 1).extend(narrowed)
	if err != nil {
		t.Fatal(err)
	}
	n := s.hello("owner-narrowed", child)
	s.step("narrowed-owner-may-not-manage", n.open(1, 100, manage.Clone()), ReasonDenied)
}

func playBranches(t *testing.T, v *vectors) {
	s := newScript(t, v, "mirror-branch-at-the-device", nil)
	defer s.end()
	k := s.hello("a", branchCapability(t, BranchMirror, 0, 1))
	k.noteSlot(s.step("open-read", k.open(1, 100, readMessage("temperature")), 0))
	n := uint32(1)
	step := func(id string, m *coap.Message, want Reason) {
		t.Helper()
		n++
		s.step(id, k.request(n, s.now.Tick, 100, m, nil), want)
	}
	step("observe", withObserve(readMessage("temperature"), 0), 0)
	step("call", callMessage("valve", 1), ReasonDenied)
	step("append", postMessage("l", "events"), ReasonDenied)
	step("time", postMessage("t"), ReasonDenied)
	step("manage", postMessage("g"), ReasonDenied)
}

func playClosed(t *testing.T, v *vectors) {
	for _, r := range []Reason{ReasonUnclaimed, ReasonBootLost} {
		id := "unclaimed"
		if r == ReasonBootLost {
			id = "boot-counter-lost"
		}
		s := newScript(t, v, id, func(cfg *GuardConfig) { cfg.Closed = r })
		h := &Hello{capability: wide(t, 1)}
		s.step("hello", h.Message(), r)
		short := h.Message()
		short.Payload = short.Payload[:19]
		s.step("short-hello", short, ReasonMalformed)
		k := &caller{s: s, c: wide(t, 1), carried: wide(t, 1).Carried(), t: newTagger([keySize]byte{})}
		s.step("open", k.open(1, 100, callMessage("valve", 1)), r)
		s.step("session", k.request(1, 0, 100, callMessage("valve", 1), nil), r)
		s.step("malformed", k.request(0, 0, 100, callMessage("valve", 1), nil), ReasonMalformed)
		s.step("unprotected", callMessage("valve", 1), ReasonNeedCapability)
		s.end()
	}
}

func playSlots(t *testing.T, v *vectors) {
	s := newScript(t, v, "slots", nil)
	defer s.end()
	open := func(id string, c *Capability, want Reason, slot uint8) *caller {
		t.Helper()
		k := s.hello(id, c)
		resp := s.step("open-"+id, k.open(1, 100, callMessage("valve", 1)), want)
		k.noteSlot(resp)
		if want == ReasonNone && k.slot != slot {
			t.Errorf("%s: %s opened slot %d, want %d", s.id, id, k.slot, slot)
		}
		return k
	}
	a := open("a", wide(t, 1), 0, 1)
	b := open("b", wide(t, 2), 0, 2)
	c := open("c", wide(t, 3), 0, 3)
	open("d-too-soon", wide(t, 4), ReasonNoRoom, 0)
	s.now.Tick += minResidency
	open("d-still-too-soon", wide(t, 4), ReasonNoRoom, 0)
	s.now.Tick++
	s.step("a-used", a.request(2, s.now.Tick, 100, callMessage("valve", 1), nil), 0)
	open("d-takes-b", wide(t, 4), 0, 2)
	s.step("b-gone", b.request(2, s.now.Tick, 100, callMessage("valve", 1), nil), ReasonTag)
	open("owner-takes-0", Owner(testService(), testKey(), 1), 0, 0)
	s.now.Tick += minResidency + 1
	again := open("a-again-evicts-itself", wide(t, 1), 0, 1)
	s.step("old-a-gone", a.request(3, s.now.Tick, 100, callMessage("valve", 1), nil), ReasonTag)
	s.step("c-lives", c.request(2, s.now.Tick, 100, callMessage("valve", 1), nil), 0)
	s.now.Tick += minResidency + 1
	junk := a.request(9, s.now.Tick, 100, callMessage("valve", 1), nil)
	s.step("junk-is-no-use-of-slot-1", junk, ReasonTag)
	s.step("nor-is-a-duplicate", again.open(1, 100, callMessage("valve", 1)), 0)
	open("e-takes-d", wide(t, 5), 0, 2)
	open("f-takes-a-used-as-long-ago-as-c-but-lower", wide(t, 6), 0, 1)
	open("g-takes-c", wide(t, 7), 0, 3)
	open("h-no-room-though-owner-is-old", wide(t, 8), ReasonNoRoom, 0)
	open("c-held-nothing-more", wide(t, 3), ReasonNoRoom, 0)
}

func playOwnerSlots(t *testing.T, v *vectors) {
	s := newScript(t, v, "owner-slots", nil)
	defer s.end()
	owner := Owner(testService(), testKey(), 1)
	open := func(id string, c *Capability, want Reason, slot uint8) {
		t.Helper()
		k := s.hello(id, c)
		k.noteSlot(s.step("open-"+id, k.open(1, 100, callMessage("valve", 1)), want))
		if want == ReasonNone && k.slot != slot {
			t.Errorf("%s: %s opened slot %d, want %d", s.id, id, k.slot, slot)
		}
	}
	for i := range uint8(4) {
		open(name("owner-%d", i), owner, 0, i)
	}
	open("guest-too-soon", wide(t, 1), ReasonNoRoom, 0)
	s.now.Tick += minResidency + 1
	open("guest-takes-1", wide(t, 1), 0, 1)
	open("owner-evicts-its-own", owner, 0, 0)
	open("guest-2-takes-2", wide(t, 2), 0, 2)
	open("guest-3-takes-3", wide(t, 3), 0, 3)
	s.now.Tick += minResidency + 1
	open("another-of-branch-0-takes-the-oldest", branchCapability(t, 0, 0, 9), 0, 0)
	s.now.Tick += minResidency + 1
	open("a-third-of-branch-0-takes-the-next", branchCapability(t, 0, 0, 8), 0, 1)
	s.now.Tick += minResidency + 1
	open("guest-4-takes-2", wide(t, 4), 0, 2)
	open("guest-5-takes-3", wide(t, 5), 0, 3)
	open("guest-6-takes-1-the-owner-has-0", wide(t, 6), 0, 1)

	two := newScript(t, v, "two-slots", func(cfg *GuardConfig) { cfg.Slots = 2 })
	defer two.end()
	k := two.hello("owner-a", branchCapability(t, 0, 0, 1))
	two.step("owner-in-0", k.open(1, 100, callMessage("valve", 1)), 0)
	two.bump(0, 0)
	two.now.Tick += minResidency + 1
	g := two.hello("guest", wide(t, 1))
	two.step("guest-in-1", g.open(1, 100, callMessage("valve", 1)), 0)
	two.now.Tick += minResidency + 1
	for i := range byte(2) {
		k := two.hello(name("owner-%d", i), branchCapability(t, 0, 0, 2+i))
		two.step(name("owner-%d-opens", i), k.open(1, 100, callMessage("valve", 1)), 0)
	}
	two.now.Tick += minResidency + 1
	g = two.hello("guest-again", wide(t, 1))
	two.step("guest-takes-1-of-two-owners", g.open(1, 100, callMessage("valve", 1)), 0)
}

func playRing(t *testing.T, v *vectors) {
	s := newScript(t, v, "ring-full", func(cfg *GuardConfig) { cfg.Slots = 8 })
	defer s.end()
	start := s.now.Tick
	var last *caller
	for i := range byte(defaultOpens) {
		if i%7 == 0 && i > 0 {
			s.now.Tick += minResidency + 1
		}
		last = s.hello(name("%d", i), wide(t, i))
		s.step(name("open-%d", i), last.open(1, 100, callMessage("valve", 1)), 0)
	}
	s.now.Tick += minResidency + 1
	full := s.hello("full", wide(t, 100))
	s.step("full", full.open(1, 255, callMessage("valve", 1)), ReasonNoRoom)
	s.step("duplicate-while-full", last.open(1, 100, callMessage("valve", 1)), 0)
	for i := range byte(ringOwner) {
		k := s.hello(name("owner-%d", i), branchCapability(t, 0, 0, i))
		s.step(name("owner-%d", i), k.open(1, 100, callMessage("valve", 1)), 0)
	}
	k := s.hello("owner-full", branchCapability(t, 0, 0, ringOwner))
	s.step("owner-full", k.open(1, 100, callMessage("valve", 1)), ReasonNoRoom)
	s.now.Tick = start + maxCookieAge
	s.step("still-full", full.open(1, 255, callMessage("valve", 1)), ReasonNoRoom)
	s.now.Tick++
	s.step("room-again", full.open(1, 255, callMessage("valve", 1)), 0)
}
