package capability

import (
	"bytes"
	"testing"

	"github.com/edgeistry/edgeistry/coap"
)

func transcriptVectors(t *testing.T, v *vectors) {
	for _, play := range []func(*testing.T, *vectors){
		playBasic, playOpenDuplicates, playOpenErrors, playWindow, playFreshness, playKeptAnswers, playFrames,
		playDigest, playTime, playResources, playGenerations, playBranches, playClosed,
		playSlots, playOwnerSlots, playRing, playMalformed, playOptions, playQueries, playMirror, playTooLarge, playUnprotected, playTickWrap, playObserve,
		playParts, playPartsRefused, playDischarges, playCounts, playRates, playBuckets, playHolds, playEpoch, playManaging,
		playPrivate, playPrivateRefused, playPrivateOff,
	} {
		play(t, v)
	}
}

func playBasic(t *testing.T, v *vectors) {
	s := newScript(t, v, "basic", nil)
	defer s.end()
	k := s.hello("a", testChain(t, 2))
	k.noteSlot(s.step("open-call", k.open(1, 100, callMessage("valve", 20)), 0))
	s.now.Tick += 3
	s.step("call", k.request(2, s.now.Tick-1, 100, callMessage("valve", 30), nil), 0)
	replayed := k.request(3, s.now.Tick, 100, callMessage("valve", 7), nil)
	s.step("call-again", replayed, 0)
	s.now.Tick += 5
	s.step("duplicate-gets-the-kept-answer", replayed.Clone(), 0)
	s.step("widened-denied-by-frame-2", k.request(4, s.now.Tick, 100, callMessage("valve", 31), nil), ReasonDenied)
	s.step("append-denied-by-frame-1", k.request(5, s.now.Tick, 100, postMessage("l", "events"), nil), ReasonDenied)
	s.step("other-function-denied", k.request(6, s.now.Tick, 100, callMessage("pump", 1), nil), ReasonDenied)
	s.step("head", k.request(7, s.now.Tick, 100, readMessage("temperature"), nil), 0)
	s.step("range", k.request(8, s.now.Tick, 100, readMessage("temperature", "s=1", "n=3"), nil), 0)
	s.step("other-log-denied", k.request(9, s.now.Tick, 100, readMessage("events"), nil), ReasonDenied)
	s.step("replay-of-an-older-one", replayed.Clone(), ReasonSequence)
	last := k.request(10, s.now.Tick, 100, readMessage("temperature"), nil)
	for bit := range 8 * 9 { // every bit of option 65001 before the tag but form and slot, then some of the tag
		flipped := last.Clone()
		value, _ := flipped.Get(coap.OptionRequest)
		value[2+bit/8] ^= 1 << (bit % 8)
		s.step(name("flipped-bit-%d", bit), flipped, ReasonTag)
	}
	flipped := last.Clone()
	flipped.Options[1].Value[0] ^= 0x20
	s.step("flipped-path", flipped, ReasonTag)
	flipped = last.Clone()
	flipped.Payload = []byte{0}
	s.step("added-payload", flipped, ReasonTag)
	flipped = last.Clone()
	flipped.Code = coap.CodePOST
	s.step("other-code", flipped, ReasonTag)
	s.step("unharmed", last, 0)
}

func playOpenDuplicates(t *testing.T, v *vectors) {
	s := newScript(t, v, "open-duplicates", nil)
	defer s.end()
	k := s.hello("post", wide(t, 1))
	open := k.open(1, 100, callMessage("valve", 20))
	s.step("open-post", open, 0)
	s.now.Tick += 4
	s.step("open-post-again", open.Clone(), 0)
	s.step("same-cookie-other-sequence", k.open(2, 100, callMessage("valve", 21)), ReasonSequence)
	s.step("same-cookie-other-payload", k.open(1, 100, callMessage("valve", 21)), ReasonSequence)
	wrong := open.Clone()
	wrong.Payload = []byte{21}
	s.step("same-cookie-wrong-tag", wrong, ReasonTag)
	k.slot = 1
	s.step("later-request", k.request(2, s.now.Tick, 100, callMessage("valve", 22), nil), 0)
	s.step("open-again-after-a-later-one", open.Clone(), ReasonSequence)

	g := s.hello("get", wide(t, 2))
	open = g.open(1, 100, readMessage("temperature"))
	s.step("open-get", open, 0)
	s.step("open-get-again", open.Clone(), ReasonResultGone)
	s.bump(3, 3)
	s.step("open-get-after-the-generation", open.Clone(), ReasonGeneration)
	s.bump(3, 2)
	s.step("open-get-slot-gone", open.Clone(), ReasonCookieUsed)
	s.now.Tick += maxCookieAge + 1
	s.step("open-get-cookie-over", open.Clone(), ReasonCookie)
}

func playOpenErrors(t *testing.T, v *vectors) {
	s := newScript(t, v, "open-errors", nil)
	defer s.end()
	other := func(change func(*Header)) *Capability {
		c := wide(t, 9)
		change(&c.Header)
		return c
	}
	for _, c := range []struct {
		id   string
		cap  *Capability
		want Reason
	}{
		{"hint", other(func(h *Header) { h.Hint[3] ^= 1 }), ReasonEpoch},
		{"epoch", other(func(h *Header) { h.Epoch = 2 }), ReasonEpoch},
		{"generation", other(func(h *Header) { h.Generation = 3 }), ReasonGeneration},
		{"generation-of-other-branch", other(func(h *Header) { h.Branch = 4 }), ReasonGeneration},
		{"nonce", other(func(h *Header) { h.Nonce[0] ^= 1 }), ReasonTag},
	} {
		k := s.hello(c.id, c.cap)
		s.step("wrong-"+c.id, k.open(1, 100, callMessage("valve", 1)), c.want)
	}
	k := s.hello("cookie", wide(t, 9))
	cookie := k.cookie
	for _, at := range []int{3, 7, 8, 15} {
		bad := cookie
		bad[at] ^= 1
		k.useCookie(bad, k.tick)
		s.step(name("cookie-byte-%d", at), k.open(1, 100, callMessage("valve", 1)), ReasonCookie)
	}
	k.useCookie(cookie, k.tick)
	k.nonce[0] ^= 1
	s.step("other-caller-nonce", k.open(1, 100, callMessage("valve", 1)), ReasonCookie)
	k.nonce[0] ^= 1
	s.now.Tick--
	s.step("cookie-of-the-future", k.open(1, 100, callMessage("valve", 1)), ReasonCookie)
	s.now.Tick += 1 + maxCookieAge + 1
	s.step("cookie-too-old", k.open(1, 255, callMessage("valve", 1)), ReasonCookie)
	s.now.Tick--
	forged := *k
	forged.t = newTagger([keySize]byte{})
	s.step("no-key", forged.open(1, 100, callMessage("valve", 1)), ReasonTag)
	widened := *k
	widened.carried = wide(t, 9, FrameSpec{}).Carried()
	s.step("frame-added-without-its-key", widened.open(1, 100, callMessage("valve", 1)), ReasonTag)
	s.step("cookie-just-young-enough", k.open(1, 100, callMessage("valve", 1)), 0)

	narrow := s.hello("narrow", testChain(t, 2))
	narrow.carried = testChain(t, 1).Carried()
	s.step("frame-taken-away", narrow.open(1, 100, callMessage("valve", 90)), ReasonTag)
	narrow.carried = testChain(t, 2).Carried()
	s.step("opens-though-denied", narrow.open(1, 100, callMessage("valve", 90)), ReasonDenied)
	narrow.slot = 2
	s.step("and-may-go-on", narrow.request(2, s.now.Tick, 100, callMessage("valve", 30), nil), 0)
	stale := s.hello("stale", wide(t, 10))
	s.now.Tick += 11
	s.step("opens-though-stale", stale.open(1, 10, callMessage("valve", 1)), ReasonStale)
}

func playWindow(t *testing.T, v *vectors) {
	s := newScript(t, v, "window", nil)
	defer s.end()
	k := s.opened("a", wide(t, 1))
	step := func(id string, sequence uint32, want Reason) {
		t.Helper()
		s.step(name("%s-%d", id, sequence), k.request(sequence, s.now.Tick, 100, callMessage("valve", byte(sequence)), nil), want)
	}
	step("skips", 5, 0)
	step("late", 3, 0)
	step("duplicate-of-the-last", 3, 0)
	step("seen", 5, ReasonSequence)
	step("seen", 1, ReasonSequence)
	step("late", 2, 0)
	step("far", 40, 0)
	step("below", 8, ReasonSequence)
	step("edge", 9, 0)
	step("edge-duplicate", 9, 0)
	step("seen", 40, ReasonSequence)
	step("shift-31", 71, 0)
	step("seen-at-the-edge", 40, ReasonSequence)
	step("shift-32", 103, 0)
	step("not-seen-at-the-edge", 72, 0)
	step("below", 71, ReasonSequence)
	step("shift-33", 136, 0)
	step("inside", 105, 0)
	step("last", 0xffffffff, 0)
	step("late", 0xffffffe0, 0)
	step("below", 0xffffffdf, ReasonSequence)
	junk := k.request(0xfffffff0, s.now.Tick, 100, callMessage("valve", 1), nil)
	junk.Payload[0]++
	s.step("junk-does-not-move-it", junk, ReasonTag)
	step("late", 0xfffffff0, 0)
}

func playFreshness(t *testing.T, v *vectors) {
	s := newScript(t, v, "freshness", nil)
	defer s.end()
	k := s.opened("a", wide(t, 1))
	s.now.Tick += 200
	s.step("at-its-hold", k.request(2, s.now.Tick-100, 100, callMessage("valve", 1), nil), 0)
	s.step("stale", k.request(3, s.now.Tick-101, 100, callMessage("valve", 1), nil), ReasonStale)
	s.step("longer-hold", k.request(4, s.now.Tick-101, 101, callMessage("valve", 1), nil), 0)
	s.step("hold-0-now", k.request(5, s.now.Tick, 0, callMessage("valve", 1), nil), 0)
	s.step("hold-0-late", k.request(6, s.now.Tick-1, 0, callMessage("valve", 1), nil), ReasonStale)
	s.step("reads-need-not-be-fresh", k.request(7, s.now.Tick-200, 0, readMessage("temperature"), nil), 0)
	s.step("append-stale", k.request(8, s.now.Tick-101, 100, postMessage("l", "events"), nil), ReasonStale)
	s.step("future", k.request(9, s.now.Tick+1, 100, callMessage("valve", 1), nil), ReasonTag)
	held := k.request(10, s.now.Tick, 100, callMessage("valve", 1), nil)
	s.now.Tick += 101
	s.step("held-back", held, ReasonStale)
	s.step("held-back-again", held.Clone(), ReasonStale)
	s.now.Tick = 0x0002fff0
	before := s.now.Tick
	s.step("tick-16-bits-on", k.request(11, s.now.Tick, 100, callMessage("valve", 1), nil), 0)
	s.now.Tick = 0x00030005
	s.step("tick-across-its-low-16-bits", k.request(12, before, 100, callMessage("valve", 1), nil), 0)
	s.step("tick-65535-old", k.request(13, s.now.Tick-0xffff, 255, readMessage("temperature"), nil), 0)
	s.step("tick-65536-old", k.request(14, s.now.Tick-0x10000, 255, readMessage("temperature"), nil), ReasonTag)
	s.now.Tick = 0xffffffff
	s.step("last-tick", k.request(15, s.now.Tick-100, 100, callMessage("valve", 1), nil), 0)
}

func postMessage(path ...string) *coap.Message {
	m := plainMessage(coap.CodePOST, path...)
	m.Payload = []byte("x")
	return m
}

func playKeptAnswers(t *testing.T, v *vectors) {
	s := newScript(t, v, "kept-answers", nil)
	defer s.end()
	k := s.opened("a", wide(t, 1))
	twice := func(id string, m *coap.Message, first, second Reason) {
		t.Helper()
		s.step(id, m, first)
		s.now.Tick++
		s.step(id+"-again", m.Clone(), second)
	}
	twice("24-bytes", k.request(2, s.now.Tick, 100, callMessage("echo", bytes.Repeat([]byte{1}, 24)...), nil), 0, 0)
	twice("25-bytes", k.request(3, s.now.Tick, 100, callMessage("echo", bytes.Repeat([]byte{1}, 25)...), nil), 0, ReasonResultGone)
	twice("no-bytes", k.request(4, s.now.Tick, 100, callMessage("echo"), nil), 0, 0)
	twice("get", k.request(5, s.now.Tick, 100, readMessage("temperature"), nil), 0, ReasonResultGone)
	twice("append", k.request(6, s.now.Tick, 100, postMessage("l", "events"), nil), 0, 0)
	twice("tagged-error", k.request(7, s.now.Tick-50, 10, callMessage("echo"), nil), ReasonStale, ReasonStale)
	twice("tagged-error-of-a-get", k.request(8, s.now.Tick, 100, plainMessage(coap.CodeGET, "x"), nil), ReasonNotFound, ReasonResultGone)
}

func playFrames(t *testing.T, v *vectors) {
	s := newScript(t, v, "frames-sent-again", nil)
	defer s.end()
	c := wide(t, 1, FrameSpec{Limits: []Limit{{Type: TypeHold, Hold: 100}}})
	k := s.opened("a", c)
	s.step("same-frames", k.request(2, s.now.Tick, 100, callMessage("valve", 1), c.Carried()), 0)
	s.step("other-frames", k.request(3, s.now.Tick, 100, callMessage("valve", 1), wide(t, 1).Carried()), ReasonTag)
	s.step("no-frames", k.request(4, s.now.Tick, 100, callMessage("valve", 1), nil), 0)
	s.step("hold-capped", k.request(5, s.now.Tick, 101, callMessage("valve", 1), nil), ReasonDenied)
	k.slot = 2
	s.step("free-slot", k.request(6, s.now.Tick, 100, callMessage("valve", 1), nil), ReasonNoSession)
	k.slot = 4
	s.step("no-such-slot", k.request(7, s.now.Tick, 100, callMessage("valve", 1), nil), ReasonNoSession)
	k.slot = 255
	s.step("slot-255", k.request(8, s.now.Tick, 100, callMessage("valve", 1), nil), ReasonNoSession)
	b := s.opened("b", wide(t, 2))
	b.slot = k.slot - 254
	s.step("slot-of-another", b.request(9, s.now.Tick, 100, callMessage("valve", 1), nil), ReasonTag)
}

func playDigest(t *testing.T, v *vectors) {
	s := newScript(t, v, "digest", nil)
	defer s.end()
	c := testChain(t, 4)
	carried := c.Carried()
	k := s.hello("long", c)
	k.noteSlot(s.step("open", k.open(1, 50, callMessage("valve", 1)), 0))
	s.step("without-frames", k.request(2, s.now.Tick, 50, callMessage("valve", 1), nil), ReasonNeedFrames)
	s.step("with-frames", k.request(3, s.now.Tick, 50, callMessage("valve", 1), carried), 0)
	s.step("widened", k.request(4, s.now.Tick, 50, callMessage("valve", 31), carried), ReasonDenied)
	shorter := testChain(t, 3).Carried()
	s.step("a-frame-less", k.request(5, s.now.Tick, 50, callMessage("valve", 1), shorter), ReasonTag)
	changed := append([]byte(nil), carried...)
	changed[len(changed)-1] = 255
	s.step("a-frame-changed", k.request(6, s.now.Tick, 50, callMessage("valve", 1), changed), ReasonTag)

	edge := func(salts int) *Capability { // header 12, empty frame 1, holds 2 each, salts 5 each, length byte 1
		f := FrameSpec{Limits: []Limit{{Type: TypeHold, Hold: 100}, {Type: TypeHold, Hold: 101}, {Type: TypeHold, Hold: 102}, {Type: TypeHold, Hold: 103}, {Type: TypeHold, Hold: 104}, {Type: TypeExpiry, Unix: 1_800_000_000}, {Type: TypeSalt}, {Type: TypeSalt}, {Type: TypeSalt}}}
		for range salts {
			f.Limits = append(f.Limits, Limit{Type: TypeSalt})
		}
		return wide(t, 2, f)
	}
	for _, salts := range []int{1, 2} {
		c := edge(salts)
		k := s.hello(name("%d-bytes", len(c.Carried())), c)
		k.noteSlot(s.step(name("open-%d-bytes", len(c.Carried())), k.open(1, 100, callMessage("valve", 1)), 0))
		want := ReasonNone
		if len(c.Carried()) > keptCarried {
			want = ReasonNeedFrames
		}
		s.step(name("without-frames-%d-bytes", len(c.Carried())), k.request(2, s.now.Tick, 100, callMessage("valve", 1), nil), want)
	}
}
