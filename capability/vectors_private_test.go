package capability

import (
	"bytes"
	"testing"

	"github.com/edgeistry/edgeistry/coap"
)

func enablePrivacy(cfg *GuardConfig) { cfg.EnablePrivacy, cfg.Slots = true, 8 }

func playPrivate(t *testing.T, v *vectors) {
	s := newScript(t, v, "private", enablePrivacy)
	defer s.end()
	k := s.helloWith("a", &caller{c: testChain(t, 2), private: privateBit})
	open := k.open(1, 100, callMessage("valve", 20))
	k.noteSlot(s.step("open-call", open, 0))
	s.step("open-again-gets-the-kept-answer", open.Clone(), 0)
	call := k.request(2, s.now.Tick, 100, callMessage("valve", 30), nil)
	s.step("call", call, 0)
	s.now.Tick++
	s.step("call-again-gets-the-kept-answer", call.Clone(), 0)
	s.deny("denied-by-frame-2", k.request(3, s.now.Tick, 100, callMessage("valve", 31), nil), denied(2, TypeBound))
	read := k.request(4, s.now.Tick, 100, readMessage("temperature", "s=1", "n=3"), nil)
	s.step("read", read, 0)
	s.step("read-again-is-a-bare-reason-9", read.Clone(), ReasonResultGone)
	long := k.request(5, s.now.Tick, 100, callMessage("valve", bytes.Repeat([]byte{7}, 24)...), nil)
	s.step("24-bytes", long, 0)
	s.step("24-bytes-again", long.Clone(), 0)
	longer := k.request(6, s.now.Tick, 100, callMessage("valve", bytes.Repeat([]byte{7}, 25)...), nil)
	s.step("25-bytes", longer, 0)
	s.step("25-bytes-again", longer.Clone(), ReasonResultGone)
	s.step("stale", k.request(7, s.now.Tick-101, 100, callMessage("valve", 1), nil), ReasonStale)
	s.step("not-found", k.request(8, s.now.Tick, 100, plainMessage(coap.CodeGET, "x", "y"), nil), ReasonNotFound)
	s.step("method", k.request(9, s.now.Tick, 100, plainMessage(coap.CodePUT, "f", "valve"), nil), ReasonMethod)
	flipped := k.request(10, s.now.Tick, 100, callMessage("valve", 1), nil)
	flipped.Payload[0] ^= 1
	s.step("flipped-ciphertext", flipped, ReasonTag)
	k.private = 0
	s.step("in-the-open-in-the-same-session", k.request(10, s.now.Tick, 100, callMessage("valve", 1), nil), 0)
	k.private = privateBit
	frames := s.helloWith("long", &caller{c: testChain(t, 4), private: privateBit})
	frames.noteSlot(s.step("open-long", frames.open(1, 50, callMessage("valve", 1)), 0))
	s.step("with-frames", frames.request(2, s.now.Tick, 50, callMessage("valve", 2), frames.frames()), 0)
	owner := s.helloWith("owner", &caller{c: Owner(testService(), testKey(), 1), private: privateBit})
	owner.noteSlot(s.step("open-owner", owner.open(1, 100, managing("g", 4, 1)), 0))
	s.step("epoch", owner.request(2, s.now.Tick, 100, nextEpoch(owner, 2, 2), nil), 0)
}

func playPrivateRefused(t *testing.T, v *vectors) {
	s := newScript(t, v, "private-refused", enablePrivacy)
	defer s.end()
	k := s.helloWith("a", &caller{c: wide(t, 1), private: privateBit})
	k.noteSlot(s.step("open", k.open(1, 100, callMessage("valve", 1)), 0))
	n := uint32(1)
	var last *coap.Message
	raw := func(id string, outer *coap.Message, want Reason) {
		t.Helper()
		n++
		last = outer
		outer.Set(coap.OptionRequest, appendSession(nil, privateBit, k.slot, n, uint16(s.now.Tick), 100, nil))
		s.step(id, k.sign(k.slot, n, s.now.Tick, 100, outer), want)
	}
	inner := func(id string, plain []byte, want Reason) {
		t.Helper()
		sealed := k.t.cipher(directionRequest).Seal(nil, privateNonce(n+1), plain, nil)
		raw(id, &coap.Message{Code: coap.CodePOST, Payload: sealed}, want)
	}
	form := func(m *coap.Message) []byte { return appendInner(nil, m) }
	good := form(callMessage("valve", 1))
	inner("good", good, 0)
	inner("empty", nil, ReasonMalformed)
	inner("code-0", append([]byte{0}, good[1:]...), ReasonMalformed)
	inner("code-of-an-answer", append([]byte{coap.CodeContent}, good[1:]...), ReasonMalformed)
	inner("marker-without-payload", append(form(callMessage("valve")), 0xff), ReasonMalformed)
	inner("option-cut", good[:4], ReasonMalformed)
	inner("nibble-15", append([]byte{coap.CodePOST}, 0xf1, 0), ReasonMalformed)
	inner("option-beyond-65535", append([]byte{coap.CodePOST}, 0xe0, 0xff, 0xff, 0xe0, 0xff, 0xff), ReasonMalformed)
	inner("observe", form(withObserve(readMessage("temperature"), 0)), ReasonBadOption)
	with := func(number uint16, n int) []byte {
		m := callMessage("valve", 1)
		m.Add(number, make([]byte, n))
		return form(m)
	}
	proof := callMessage("valve", 1)
	inner("65001-inside", append(form(&coap.Message{Code: coap.CodePOST}), append([]byte{0xed, 0xfc, 0xdc, 4}, make([]byte, 17)...)...), ReasonBadOption)
	inner("size1", with(coap.OptionSize1, 1), ReasonBadOption)
	inner("uri-host", with(coap.OptionURIHost, 1), ReasonBadOption)
	inner("if-match-9", with(coap.OptionIfMatch, 9), ReasonMalformed)
	inner("query-in-a-post", form(func() *coap.Message {
		m := callMessage("valve", 1)
		m.Add(coap.OptionURIQuery, []byte("n=1"))
		return m
	}()), ReasonBadOption)
	inner("good-again", good, 0)
	again := func(id string, want Reason) {
		t.Helper()
		s.step(id+"-again", last.Clone(), want)
	}
	inner("33-options", form(crowded(callMessage("valve", 1), 33)), ReasonMalformed)
	again("33-options", ReasonMalformed) // the stored answer: it was a POST
	inner("32-options", form(crowded(callMessage("valve", 1), 32)), 0)
	again("32-options", 0)
	count := crowded(callMessage("valve", 1), 32)
	count.Add(coap.OptionSize1, nil)
	inner("33-options-one-that-may-not-stand-there", form(count), ReasonMalformed)
	inner("33-options-of-a-get", form(crowded(readMessage("temperature"), 33)), ReasonMalformed)
	again("33-options-of-a-get", ReasonResultGone)
	inner("33-options-and-no-message", append(form(crowded(callMessage("valve"), 33)), 0xff), ReasonMalformed)
	again("33-options-and-no-message", ReasonResultGone)
	inner("post-that-is-no-message", append(form(callMessage("valve")), 0xff), ReasonMalformed)
	again("post-that-is-no-message", ReasonResultGone)
	inner("post-with-an-option-of-wrong-length", with(coap.OptionIfMatch, 9), ReasonMalformed)
	again("post-with-an-option-of-wrong-length", ReasonMalformed)
	inner("observe-of-wrong-length", with(coap.OptionObserve, 4), ReasonBadOption)
	inner("size1-before-a-wrong-length", form(func() *coap.Message {
		m := callMessage("valve", 1)
		m.Add(coap.OptionSize1, nil)
		m.Add(coap.OptionRequestTag, make([]byte, 9))
		return m
	}()), ReasonBadOption)
	junk := &coap.Message{Code: coap.CodePOST, Payload: []byte{1, 2, 3, 4, 5, 6, 7, 8}}
	raw("does-not-decrypt", junk, ReasonMalformed)
	s.step("does-not-decrypt-again", junk.Clone(), ReasonResultGone)
	raw("shorter-than-its-tag", &coap.Message{Code: coap.CodePOST, Payload: []byte{1, 2, 3}}, ReasonMalformed)
	raw("no-payload", &coap.Message{Code: coap.CodePOST}, ReasonMalformed)
	raw("outer-path", func() *coap.Message { proof.Payload = []byte{1, 2, 3, 4, 5}; return proof }(), ReasonBadOption)
	raw("outer-get", &coap.Message{Code: coap.CodeGET, Payload: []byte{1, 2, 3, 4, 5}}, ReasonMalformed)
	sized := &coap.Message{Code: coap.CodePOST, Payload: k.t.encrypt(directionRequest, n+1, callMessage("valve", 3))}
	sized.AddUint(coap.OptionSize1, 7)
	raw("outer-size1-is-not-covered", sized, 0)
	other := k.t.encrypt(directionRequest, n, callMessage("valve", 3))
	raw("under-the-nonce-of-another", &coap.Message{Code: coap.CodePOST, Payload: other}, ReasonMalformed)
	other = k.t.encrypt(directionAnswer, n+1, callMessage("valve", 3))
	raw("under-the-key-of-answers", &coap.Message{Code: coap.CodePOST, Payload: other}, ReasonMalformed)
}

// A verifier without privacy says so before it looks at the rest.
func playPrivateOff(t *testing.T, v *vectors) {
	s := newScript(t, v, "private-off", nil)
	defer s.end()
	k := s.opened("a", wide(t, 1))
	k.private = privateBit
	s.step("session", k.request(2, s.now.Tick, 100, callMessage("valve", 1), nil), ReasonTooLarge)
	s.step("frames", k.request(2, s.now.Tick, 100, callMessage("valve", 1), k.carried), ReasonTooLarge)
	s.step("malformed-first", k.request(0, s.now.Tick, 100, callMessage("valve", 1), nil), ReasonMalformed)
	h := s.helloWith("b", &caller{c: wide(t, 2), private: privateBit})
	s.step("open", h.open(1, 100, callMessage("valve", 1)), ReasonTooLarge)
	h.private = 0
	s.step("in-the-open", h.open(1, 100, callMessage("valve", 1)), 0)
}
