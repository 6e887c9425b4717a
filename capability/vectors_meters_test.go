package capability

import (
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/coap"
)

func counting(n, cell uint8) FrameSpec {
	return FrameSpec{Limits: []Limit{{Type: TypeCount, Count: Count{n, cell}}}}
}

func rated(burst uint8, period uint16) FrameSpec {
	return FrameSpec{Limits: []Limit{{Type: TypeRate, Rate: Rate{burst, period}}}}
}

// notEvaluable is a denial of reason 12.
func notEvaluable(frame int, t ConstraintType) Denial {
	return Denial{Reason: ReasonNotEvaluable, Frame: frame, Constraint: t}
}

func playCounts(t *testing.T, v *vectors) {
	s := newScript(t, v, "counts", func(cfg *GuardConfig) { cfg.Slots = 8 })
	defer s.end()
	c := wide(t, 1, counting(3, 2))
	k := s.hello("early", c)
	k.noteSlot(s.deny("no-cell", k.open(1, 100, callMessage("valve", 1)), notEvaluable(2, TypeCount)))
	s.reserve(2, c.Identity())
	s.deny("an-open-session-does-not-know", k.request(2, s.now.Tick, 100, callMessage("valve", 1), nil), notEvaluable(2, TypeCount))
	k = s.opened("first", c)
	s.count(2, 1)
	again := k.request(2, s.now.Tick, 100, callMessage("valve", 2), nil)
	s.step("second", again, 0)
	s.step("an-answer-sent-again-takes-none", again.Clone(), 0)
	s.count(2, 2)
	s.deny("denied-by-another-frame-takes-none", s.narrower(k, c).request(2, s.now.Tick, 100, callMessage("valve", 9), nil), denied(3, TypeBound))
	s.count(2, 2)
	sibling := s.hello("narrowed", wide(t, 1, counting(3, 2), grantCall(5)))
	s.step("narrowed-shares-it", sibling.open(1, 100, callMessage("valve", 5)), 0)
	s.count(2, 3)
	s.deny("spent", k.request(3, s.now.Tick, 100, callMessage("valve", 1), nil), denied(2, TypeCount))
	s.deny("reads-count-too", k.request(4, s.now.Tick, 100, readMessage("temperature"), nil), denied(2, TypeCount))
	s.reserve(2, c.Identity())
	s.count(2, 3)
	s.deny("reserved-again-it-goes-on", k.request(5, s.now.Tick, 100, callMessage("valve", 1), nil), notEvaluable(2, TypeCount))
	s.now.Tick += minResidency + 1
	k = s.hello("anew", c)
	s.deny("opened-anew", k.open(1, 100, callMessage("valve", 1)), denied(2, TypeCount))
	other := wide(t, 2, counting(3, 2))
	k = s.hello("other", other)
	s.deny("another-chain", k.open(1, 100, callMessage("valve", 1)), notEvaluable(2, TypeCount))
	s.reserve(2, other.Identity())
	s.count(2, 0)
	s.reserve(2, Identity{})
	k = s.hello("freed", other)
	s.deny("freed", k.open(1, 100, callMessage("valve", 1)), notEvaluable(2, TypeCount))

	// Two frames of one chain, each with a cell of its own.
	inner := wide(t, 3, counting(2, 0))
	both, err := inner.extend(mustFrame(t, counting(1, 3)))
	if err != nil {
		t.Fatal(err)
	}
	s.reserve(0, inner.Identity())
	s.reserve(3, both.Identity())
	s.now.Tick += minResidency + 1
	k = s.opened("two-cells", both)
	s.count(0, 1)
	s.count(3, 1)
	s.deny("the-narrower-is-spent", k.request(2, s.now.Tick, 100, callMessage("valve", 1), nil), denied(3, TypeCount))
	s.count(0, 1)
	s.now.Tick += minResidency + 1
	k = s.opened("the-wider-goes-on", inner)
	s.deny("until-it-is-spent", k.request(2, s.now.Tick, 100, callMessage("valve", 1), nil), denied(2, TypeCount))
	in2 := s.helloWith("in-part-2", &caller{c: wide(t, 4), also: []*Capability{inner}})
	s.deny("in-part-2", in2.open(1, 100, callMessage("valve", 1)), denied(32+2, TypeCount))
	s.reserve(0, Identity{})
}

// narrower opens a session with c narrowed to arguments of at most 5.
func (s *script) narrower(k *caller, c *Capability) *caller {
	s.t.Helper()
	n, err := c.extend(mustFrame(s.t, grantCall(5)))
	if err != nil {
		s.t.Fatal(err)
	}
	out := s.hello("narrower", n)
	out.noteSlot(s.deny("narrower-denied", out.open(1, 100, callMessage("valve", 6)), denied(3, TypeBound)))
	return out
}

func playRates(t *testing.T, v *vectors) {
	s := newScript(t, v, "rates", func(cfg *GuardConfig) { cfg.Slots = 8 })
	defer s.end()
	c := wide(t, 1, rated(2, 10)) // 2 at once, then one every 10 s
	k := s.hello("a", c)
	k.noteSlot(s.deny("starts-empty", k.open(1, 100, callMessage("valve", 1)), denied(2, TypeRate)))
	n := uint32(1)
	ask := func(id string, want Reason) {
		t.Helper()
		n++
		s.step(id, k.request(n, s.now.Tick, 100, callMessage("valve", 1), nil), want)
	}
	s.now.Tick += 99
	ask("a-moment-too-soon", ReasonDenied)
	s.now.Tick++
	ask("the-first", 0)
	ask("no-more", ReasonDenied)
	s.now.Tick += 199
	ask("one-of-199-ticks", 0)
	ask("but-one", ReasonDenied)
	s.now.Tick++
	ask("the-second-at-200", 0)
	s.now.Tick += 100_000
	ask("full-1", 0)
	ask("full-2", 0)
	ask("and-no-third", ReasonDenied)
	s.now.Tick += 99
	ask("its-period-began-when-it-was-full", ReasonDenied)
	s.now.Tick++
	ask("and-ends", 0)
	s.now.Tick += 1000
	narrower := s.hello("narrower", wide(t, 1, rated(2, 10), grantCall(5)))
	narrower.noteSlot(s.step("narrowed-shares-the-bucket", narrower.open(1, 100, callMessage("valve", 1)), 0))
	ask("one-left", 0)
	ask("none-left", ReasonDenied)
	s.deny("for-neither", narrower.request(2, s.now.Tick, 100, callMessage("valve", 1), nil), denied(2, TypeRate))
	s.now.Tick += 100
	s.deny("denied-by-another-frame-takes-none", narrower.request(3, s.now.Tick, 100, callMessage("valve", 9), nil), denied(3, TypeBound))
	ask("so-one-is-there", 0)
	s.now.Tick += 100
	n++
	replay := k.request(n, s.now.Tick, 100, callMessage("valve", 1), nil)
	s.step("replayed", replay, 0)
	s.now.Tick++
	s.step("replayed-takes-none", replay.Clone(), 0)
	s.now.Tick += 99
	ask("so-this-one-is-there", 0)
}

func playBuckets(t *testing.T, v *vectors) {
	s := newScript(t, v, "buckets", func(cfg *GuardConfig) { cfg.Slots = 8 })
	defer s.end()
	open := func(id string, c *Capability, want Denial) *caller {
		t.Helper()
		k := s.hello(id, c)
		k.noteSlot(s.deny(id, k.open(1, 100, callMessage("valve", 1)), want))
		return k
	}
	empty := denied(2, TypeRate)
	var k [6]*caller
	for i := range byte(4) {
		k[i] = open(name("bucket-%d", i), wide(t, i, rated(1, 1)), empty)
	}
	k[4] = open("no-bucket-free", wide(t, 4, rated(1, 1)), notEvaluable(2, TypeRate))
	s.now.Tick += 10
	s.step("the-first-still-counts", k[0].request(2, s.now.Tick, 100, callMessage("valve", 1), nil), 0)
	s.deny("and-the-fifth-has-none", k[4].request(2, s.now.Tick, 100, callMessage("valve", 1), nil), notEvaluable(2, TypeRate))
	s.bump(3, 2) // ends every session of the branch; the buckets stay
	s.deny("kept-though-its-session-ended", s.openedAgain("first-again", wide(t, 0, rated(1, 1))), denied(2, TypeRate))
	k[4] = open("the-fifth-takes-that-of-the-second", wide(t, 4, rated(1, 1)), empty)
	s.now.Tick += 10
	k[1] = open("the-second-starts-empty-again", wide(t, 1, rated(1, 1)), empty)
	s.step("the-fifth-has-one", k[4].request(2, s.now.Tick, 100, callMessage("valve", 1), nil), 0)
	three := wide(t, 9, rated(1, 1), rated(2, 2), rated(3, 3))
	s.bump(3, 2)
	s.now.Tick += 600
	t3 := s.hello("three-in-one-chain", three)
	t3.noteSlot(s.deny("three-in-one-chain", t3.open(1, 100, callMessage("valve", 1)), denied(2, TypeRate)))
	s.now.Tick += 29
	s.deny("the-slowest-decides", t3.request(2, s.now.Tick, 100, callMessage("valve", 1), t3.frames()), denied(4, TypeRate))
	s.now.Tick++
	s.step("then-all-have-one", t3.request(3, s.now.Tick, 100, callMessage("valve", 1), t3.frames()), 0)
}

// openedAgain returns an OPEN of a new session.
func (s *script) openedAgain(id string, c *Capability) *coap.Message {
	s.t.Helper()
	return s.hello(id, c).open(1, 100, callMessage("valve", 1))
}

func playHolds(t *testing.T, v *vectors) {
	s := newScript(t, v, "holds", nil)
	defer s.end()
	k := s.opened("a", wide(t, 1))
	n := uint32(1)
	for _, c := range []struct {
		hold  uint8
		ticks uint32
	}{{0, 0}, {1, 1}, {199, 199}, {200, 600}, {201, 1200}, {254, 55 * 600}, {255, 56 * 600}} {
		s.now.Tick += 70_000
		n++
		s.step(name("hold-%d-at-its-end", c.hold), k.request(n, s.now.Tick-c.ticks, c.hold, callMessage("valve", 1), nil), 0)
		n++
		s.step(name("hold-%d-over", c.hold), k.request(n, s.now.Tick-c.ticks-1, c.hold, callMessage("valve", 1), nil), ReasonStale)
	}
	cap := s.hello("capped", wide(t, 2, FrameSpec{Limits: []Limit{{Type: TypeHold, Hold: 200}}}))
	cap.noteSlot(s.step("a-minute-is-allowed", cap.open(1, 200, callMessage("valve", 1)), 0))
	s.deny("two-are-not", cap.request(2, s.now.Tick, 201, callMessage("valve", 1), nil), denied(2, TypeHold))
	s.step("less-is", cap.request(3, s.now.Tick, 199, callMessage("valve", 1), nil), 0)
}

func TestHolds(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want uint8
	}{
		{0, 100},
		{-1, 100},
		{1, 0},
		{100 * time.Millisecond, 1},
		{199 * time.Millisecond, 1},
		{19900 * time.Millisecond, 199},
		{59 * time.Second, 199},
		{time.Minute, 200},
		{119 * time.Second, 200},
		{2 * time.Minute, 201},
		{56 * time.Minute, 255},
		{24 * time.Hour, 255},
	} {
		if got := EncodeHold(c.d); got != c.want {
			t.Errorf("EncodeHold(%v) = %d, want %d", c.d, got, c.want)
		}
	}
	for h := range 256 {
		if got := EncodeHold(HoldDuration(uint8(h))); got != uint8(h) && h > 0 {
			t.Errorf("hold %d stands for %v, and that is hold %d", h, HoldDuration(uint8(h)), got)
		}
		if h > 0 && HoldDuration(uint8(h)) <= HoldDuration(uint8(h-1)) {
			t.Errorf("hold %d is not longer than the one before", h)
		}
	}
}
