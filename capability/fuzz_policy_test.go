package capability

import (
	"bytes"
	"testing"

	"github.com/edgeistry/edgeistry/coap"
)

func FuzzParseDischarge(f *testing.F) {
	guard := guardCapability(f)
	for _, s := range []FrameSpec{{}, grantCall(20)} {
		f.Add(discharge(f, guard, s).Text())
	}
	f.Add(dischargeKind + "_")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDischarge(text)
		if err != nil {
			return
		}
		if got := d.Text(); got != text {
			t.Errorf("ParseDischarge(%q).Text() = %q", text, got)
		}
	})
}

func FuzzInner(f *testing.F) {
	for _, m := range []*coap.Message{callMessage("valve", 20), readMessage("temperature", "s=1", "n=3"), {Code: coap.CodeChanged}} {
		f.Add(appendInner(nil, m))
	}
	f.Add([]byte{coap.CodePOST, 0xe0, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, ok := parseInner(b)
		if !ok {
			return
		}
		if again := appendInner(nil, m); !bytes.Equal(again, b) {
			t.Errorf("%x encodes to %x", b, again)
		}
	})
}

// FuzzPrivate hands a guard an inner request of the fuzzer's making: whatever it is, the answer is one that the caller can read.
func FuzzPrivate(f *testing.F) {
	f.Add(appendInner(nil, callMessage("valve", 20)))
	f.Add(appendInner(nil, readMessage("temperature", "s=1")))
	f.Fuzz(func(t *testing.T, plain []byte) {
		m := newMeeting(t, func(cfg *GuardConfig) { cfg.EnablePrivacy = true })
		s := m.session(wideOwner())
		s.EnablePrivacy()
		m.ask(s, callMessage("valve", 1))
		req := &coap.Message{Code: coap.CodePOST, Payload: s.tagger.cipher(directionRequest).Seal(nil, privateNonce(2), plain, nil)}
		value := appendSession(nil, privateBit, s.slot, 2, uint16(m.verifierNow().Tick), 100, nil)
		req.Set(coap.OptionRequest, value)
		sum, err := s.tagger.request(newMAC(), s.slot, 2, m.verifierNow().Tick, 100, req)
		if err != nil {
			t.Fatal(err)
		}
		copy(value[len(value)-tagSize:], sum[:])
		p := &Pending{sequence: 2, slot: s.slot, private: true}
		copy(p.tag[:], sum[:tagSize])
		resp := m.do(req)
		if v, err := s.Verify(p, resp, m.now); err != nil || !v.Tagged {
			t.Errorf("%x: %+v, %v", plain, v, err)
		}
	})
}
