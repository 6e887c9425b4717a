package capability

import (
	"testing"

	"github.com/edgeistry/edgeistry/coap"
)

// managing makes POST /g, /e or /n.
func managing(what string, payload ...byte) *coap.Message {
	m := plainMessage(coap.CodePOST, what)
	m.Payload = payload
	return m
}

func playManaging(t *testing.T, v *vectors) {
	s := newScript(t, v, "managing", func(cfg *GuardConfig) { cfg.Slots = 8 })
	defer s.end()
	owner := Owner(testService(), testKey(), 1)
	k := s.opened("owner", owner)
	n := uint32(1)
	step := func(id string, m *coap.Message, want Reason) {
		t.Helper()
		n++
		s.step(id, k.request(n, s.now.Tick, 100, m, nil), want)
	}
	step("generation-up", managing("g", 3, 3), 0)
	step("generation-the-same", managing("g", 3, 2), 0)
	step("generation-down", managing("g", 3, 1), ReasonArgument)
	step("generation-255", managing("g", 3, 255), 0)
	step("generation-of-branch-16", managing("g", 16, 3), ReasonArgument)
	step("generation-short", managing("g", 3), ReasonArgument)
	step("generation-long", managing("g", 3, 3, 3), ReasonArgument)
	step("cell", managing("n", Identity{1}.Reserve(3)...), 0)
	step("cell-4", managing("n", Identity{1}.Reserve(4)...), ReasonArgument)
	step("cell-short", managing("n", 1, 2, 3, 4, 5, 6, 7, 8), ReasonArgument)
	step("cell-long", managing("n", append(Identity{1}.Reserve(3), 0)...), ReasonArgument)
	step("get-epoch", plainMessage(coap.CodeGET, "e"), ReasonMethod)
	step("get-cell", plainMessage(coap.CodeGET, "n"), ReasonMethod)
	step("epoch-with-a-name", plainMessage(coap.CodePOST, "e", "x"), ReasonNotFound)
	n++
	s.step("stale", k.request(n, s.now.Tick-101, 100, managing("n", Identity{1}.Reserve(3)...), nil), ReasonStale)

	manager := branchCapability(t, 0, 0, 5, FrameSpec{Grants: []Grant{{Operations: Manage}}})
	m := s.opened4(manager, "manager", managing("g", 4, 1))
	s.step("manager-reserves", m.request(2, s.now.Tick, 100, managing("n", Identity{2}.Reserve(0)...), nil), 0)
	s.deny("manager-makes-no-epoch", m.request(3, s.now.Tick, 100, nextEpoch(m, 3, 2), nil), denied(0, 0))
	other := s.opened4(branchCapability(t, 0, 0, 6), "another-nonce", managing("g", 4, 1))
	s.deny("another-nonce-makes-no-epoch", other.request(2, s.now.Tick, 100, nextEpoch(other, 2, 2), nil), denied(0, 0))
	child, err := owner.extend(mustFrame(t, FrameSpec{}))
	if err != nil {
		t.Fatal(err)
	}
	two := s.opened4(child, "two-empty-frames", managing("g", 4, 1))
	s.deny("two-empty-frames-make-no-epoch", two.request(2, s.now.Tick, 100, nextEpoch(two, 2, 2), nil), denied(0, 0))
	pair := s.helloWith("two-parts", &caller{c: owner, also: []*Capability{branchCapability(t, 0, 0, 6)}})
	pair.noteSlot(s.step("two-parts", pair.open(1, 100, managing("g", 4, 1)), 0))
	s.deny("two-parts-make-no-epoch", pair.request(2, s.now.Tick, 100, nextEpoch(pair, 2, 2), nil), denied(0, 0))
	guest := s.hello("guest", wide(t, 1))
	guest.noteSlot(s.step("guest", guest.open(1, 100, callMessage("valve", 1)), 0))
	s.deny("guest-reserves-nothing", guest.request(2, s.now.Tick, 100, managing("n", Identity{2}.Reserve(0)...), nil), denied(0, 0))
	s.deny("guest-makes-no-epoch", guest.request(3, s.now.Tick, 100, nextEpoch(guest, 3, 2), nil), denied(0, 0))
}

func (s *script) opened4(c *Capability, id string, first *coap.Message) *caller {
	s.t.Helper()
	k := s.hello(id, c)
	k.noteSlot(s.step("open-"+id, k.open(1, 100, first), ReasonNone))
	return k
}

// nextEpoch returns a POST /e with r under its pad, for the request of that sequence.
func nextEpoch(k *caller, sequence uint32, epoch uint16) *coap.Message {
	m := managing("e", append([]byte{byte(epoch >> 8), byte(epoch)}, bytesFor("r", keySize)...)...)
	padEpoch(m, k.t.ks, sequence)
	return m
}

func playEpoch(t *testing.T, v *vectors) {
	s := newScript(t, v, "epoch", nil)
	defer s.end()
	owner := Owner(testService(), testKey(), 1)
	counted := wide(t, 1, counting(9, 1))
	s.reserve(1, counted.Identity())
	guest := s.opened("guest", counted)
	s.count(1, 1)
	k := s.opened("owner", owner)
	s.step("epoch-not-the-next", k.request(2, s.now.Tick, 100, nextEpoch(k, 2, 3), nil), ReasonArgument)
	s.step("epoch-of-now", k.request(3, s.now.Tick, 100, nextEpoch(k, 3, 1), nil), ReasonArgument)
	short := nextEpoch(k, 4, 2)
	short.Payload = short.Payload[:33]
	s.step("epoch-short", k.request(4, s.now.Tick, 100, short, nil), ReasonArgument)
	waiting := s.hello("waiting", wide(t, 2))
	s.step("next-epoch", k.request(5, s.now.Tick, 100, nextEpoch(k, 5, 2), nil), 0)
	s.ratchet([32]byte(bytesFor("r", keySize)))
	s.step("owner-ended", k.request(6, s.now.Tick, 100, callMessage("valve", 1), nil), ReasonNoSession)
	s.step("guest-ended", guest.request(2, s.now.Tick, 100, callMessage("valve", 1), nil), ReasonNoSession)
	s.step("old-epoch", waiting.open(1, 100, callMessage("valve", 1)), ReasonEpoch)
	old := s.hello("old-owner", owner)
	s.step("old-owner", old.open(1, 100, callMessage("valve", 1)), ReasonEpoch)
	forged := s.hello("old-key-new-epoch", Owner(testService(), testKey(), 2))
	s.step("old-key-new-epoch", forged.open(1, 100, callMessage("valve", 1)), ReasonTag)
	now := s.hello("new-owner", Owner(testService(), s.ke, 2))
	now.noteSlot(s.step("new-owner", now.open(1, 100, callMessage("valve", 1)), 0))
	s.count(1, 0)
	c, err := Mint(testService(), s.ke.Branch(2, 3, 0), Header{Branch: 3, Epoch: 2}, nil)
	if err != nil {
		t.Fatal(err)
	}
	fresh := s.hello("generation-0-again", c)
	s.step("generation-0-again", fresh.open(1, 100, callMessage("valve", 1)), 0)
	s.step("and-the-next-one", now.request(2, s.now.Tick, 100, nextEpoch(now, 2, 3), nil), 0)
	s.ratchet([32]byte(bytesFor("r", keySize)))
	third := s.hello("third", Owner(testService(), s.ke, 3))
	s.step("third", third.open(1, 100, callMessage("valve", 1)), 0)
}
