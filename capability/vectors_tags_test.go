package capability

import (
	"fmt"
	"testing"

	"github.com/edgeistry/edgeistry/coap"
)

// tagVectors shows canonical bytes and tags: a message with every covered option, ones with options that are not
// covered, and the three forms of each proof.
func tagVectors(t *testing.T, v *vectors) {
	ks := [keySize]byte(bytesFor("ks", keySize))
	nonce, cookie := [nonceSize]byte(bytesFor("nonce", nonceSize)), [cookieSize]byte(bytesFor("cookie", cookieSize))
	carried := testChain(t, 2).Carried()
	forms := []struct {
		id    string
		slot  uint8
		value []byte
	}{
		{"open", slotOpening, appendOpen(nil, 0, nonce, cookie, 1, 100, carried)},
		{"session", 2, appendSession(nil, 0, 2, 0x01020304, 0xbeef, 100, nil)},
		{"frames", 3, appendSession(nil, 0, 3, 5, 0xbeef, 255, carried)},
		{"mirror", 2, appendSession(nil, mirrorBit, 2, 0x01020304, 0xbeef, 100, nil)},
	}
	const tick = 0x0001beef
	for _, f := range forms {
		for _, m := range requestSamples() {
			m.message.Set(coap.OptionRequest, append([]byte(nil), f.value...))
			p, r := parseProof(f.value, f.id == "mirror", maxCarried)
			if r != ReasonNone {
				t.Fatalf("%s: %v", f.id, r)
			}
			canonical, err := canonicalRequest(nil, m.message)
			if err != nil {
				t.Fatal(err)
			}
			sum, err := newTagger(ks).request(newMAC(), f.slot, p.sequence, tick, p.hold, m.message)
			if err != nil {
				t.Fatal(err)
			}
			tag := sum[:len(p.tag)]
			value, _ := m.message.Get(coap.OptionRequest)
			copy(value[len(value)-len(tag):], tag)
			v.add("request", f.id+"-"+m.id, "ks", ks, "slot", f.slot, "sequence", p.sequence, "tick", uint32(tick), "hold", p.hold,
				"message", coapBytes(m.message, 0, 0x1234, []byte{0xca, 0xfe}), "canonical", canonical, "tag", tag)
		}
	}
	responseVectors(t, v, ks)
}

type requestSample struct {
	id      string
	message *coap.Message
}

func requestSamples() []requestSample {
	call := &coap.Message{Code: coap.CodePOST, Payload: []byte{20}}
	_ = call.SetPath("/f/valve")
	read := &coap.Message{Code: coap.CodeGET}
	_ = read.SetPath("/l/temperature")
	read.SetQuery(coap.Query{HasFrom: true, From: 41, HasCount: true, Count: 3})
	read.AddUint(coap.OptionObserve, 0)
	all := &coap.Message{Code: coap.CodePOST, Payload: []byte("payload")}
	_ = all.SetPath("/l/events")
	all.Add(coap.OptionIfMatch, []byte{1, 2})
	all.Add(coap.OptionIfMatch, nil)
	all.Add(coap.OptionIfNoneMatch, nil)
	all.AddUint(coap.OptionObserve, 1)
	all.AddUint(coap.OptionContentFormat, coap.ContentFormatOctets)
	all.AddUint(coap.OptionAccept, coap.ContentFormatLink)
	all.Add(coap.OptionURIQuery, []byte("n=1"))
	all.AddUint(coap.OptionBlock2, 6)
	all.AddUint(coap.OptionBlock1, 14)
	all.Add(coap.OptionRequestTag, []byte{9, 9, 9})
	// These are new on every hop: they stand in the message and not in its canonical form.
	all.AddUint(coap.OptionSize1, 7)
	all.AddUint(coap.OptionSize2, 0)
	return []requestSample{{"call", call}, {"read", read}, {"all", all}}
}

func responseVectors(t *testing.T, v *vectors, ks [keySize]byte) {
	forms := []struct {
		id           string
		form, mirror uint8
		notification uint32
		requestTag   []byte
	}{
		{"open", formOpen, 0, 0, bytesFor("request tag", openTagSize)},
		{"session", formSession, 0, 0, bytesFor("request tag", tagSize)},
		{"notification", formNotification, 0, 9, bytesFor("request tag", tagSize)},
		{"notification-open", formNotification, 0, 1, bytesFor("request tag", openTagSize)},
		{"mirror", formSession, mirrorBit, 0, bytesFor("request tag", tagSize)},
	}
	const slot, tick, sequence = uint8(2), uint32(0x0001bef0), uint32(0x01020304)
	for _, f := range forms {
		for i := range 3 {
			m := &coap.Message{Code: coap.CodeChanged}
			switch i {
			case 1:
				m = (Denial{Reason: ReasonDenied, Frame: 2, Constraint: TypeBound}).message()
			case 2:
				m = &coap.Message{Code: coap.CodeContent, Payload: []byte("21.5")}
				m.Add(coap.OptionETag, []byte{1, 2, 3})
				m.AddUint(coap.OptionObserve, 5) // not covered
				m.AddUint(coap.OptionContentFormat, coap.ContentFormatText)
				m.AddUint(coap.OptionMaxAge, 60) // not covered
				m.AddUint(coap.OptionBlock2, 6)
				m.AddUint(coap.OptionBlock1, 14)
			}
			m.Add(coap.OptionResponse, appendAnswerProof(nil, f.form, f.mirror, slot, tick, f.notification))
			canonical, err := canonicalResponse(nil, m)
			if err != nil {
				t.Fatal(err)
			}
			sum, err := newTagger(ks).response(newMAC(), slot, sequence, f.notification, tick, f.requestTag, m)
			if err != nil {
				t.Fatal(err)
			}
			value, _ := m.Get(coap.OptionResponse)
			tag := sum[:responseTagSize(value)]
			copy(value[len(value)-len(tag):], tag)
			v.add("response", fmt.Sprintf("%s-%d", f.id, i), "ks", ks, "sequence", sequence, "notification", f.notification,
				"request_tag", f.requestTag, "tick", tick, "slot", slot,
				"message", coapBytes(m, 2, 0x1234, []byte{0xca, 0xfe}), "canonical", canonical, "tag", tag)
		}
	}
}

// proofVectors shows values of option 65001, good and bad, and what parsing says.
func proofVectors(t *testing.T, v *vectors) {
	nonce, cookie := [nonceSize]byte(bytesFor("nonce", nonceSize)), [cookieSize]byte(bytesFor("cookie", cookieSize))
	carried := testChain(t, 2).Carried()
	header := testChain(t, 1).Header.encode()
	with := func(b []byte, at int, value byte) []byte {
		b = append([]byte(nil), b...)
		b[at] = value
		return b
	}
	open := func(carried []byte) []byte { return appendOpen(nil, 0, nonce, cookie, 1, 100, carried) }
	frames := func(lengths ...int) []byte {
		b := append([]byte(nil), header[:]...)
		for _, n := range lengths {
			b = append(append(b, byte(n)), make([]byte, n)...)
		}
		return b
	}
	session := appendSession(nil, 0, 2, 7, 0xbeef, 100, nil)
	sessionFrames := appendSession(nil, 0, 2, 7, 0xbeef, 100, carried)
	cases := []struct {
		id     string
		value  []byte
		mirror bool
		want   Reason
	}{
		{"open", open(carried), false, 0},
		{"open-longest", open(frames(48, 48, 48, 47)), false, 0},
		{"open-empty-frame", open(frames(0)), false, 0},
		{"open-four-empty-frames", open(frames(0, 0, 0, 0)), false, 0},
		{"open-mirror", appendOpen(nil, mirrorBit, nonce, cookie, 1, 100, carried), true, 0},
		{"open-mirror-at-device", appendOpen(nil, mirrorBit, nonce, cookie, 1, 100, carried), false, 1},
		{"open-at-mirror", open(carried), true, 1},
		{"open-slot", with(open(carried), 1, 0), false, 1},
		{"open-sequence-0", appendOpen(nil, 0, nonce, cookie, 0, 100, carried), false, 1},
		{"open-no-frames", open(header[:]), false, 1},
		{"open-five-frames", open(frames(0, 0, 0, 0, 0)), false, 1},
		{"open-frame-49", open(frames(49)), false, 1},
		{"open-frame-beyond", open(append(frames(), 2, 0)), false, 1},
		{"open-version-2", open(with(carried, 0, 0x23)), false, 1},
		{"open-version-9", open(with(carried, 0, 0x93)), false, 1},
		{"open-short-header", open(header[:11]), false, 1},
		{"open-n-too-large", with(open(carried), 31, byte(len(carried)+1)), false, 1},
		{"open-n-too-small", with(open(carried), 31, byte(len(carried)-1)), false, 1},
		{"open-cut", open(carried)[:47], false, 1},
		{"session", session, false, 0},
		{"session-slot-254", with(session, 1, 254), false, 0},
		{"session-mirror", with(session, 0, 0xa0), true, 0},
		{"session-mirror-at-device", with(session, 0, 0xa0), false, 1},
		{"session-long", append(session[:17:17], 0), false, 1},
		{"session-short", session[:16], false, 1},
		{"session-sequence-0", appendSession(nil, 0, 2, 0, 0xbeef, 100, nil), false, 1},
		{"frames", sessionFrames, false, 0},
		{"frames-empty-frame", appendSession(nil, 0, 2, 7, 0xbeef, 100, frames(0)), false, 0},
		{"frames-none", appendSession(nil, 0, 2, 7, 0xbeef, 100, []byte{}), false, 1},
		{"frames-n-wrong", with(sessionFrames, 9, 3), false, 1},
		{"form-00", with(session, 0, 0x00), false, 1},
		{"form-21", with(session, 0, 0x21), false, 1},
		{"form-40", with(session, 0, 0x40), false, 1},
		{"form-1e", with(open(carried), 0, 0x1e), false, 1},
		{"form-ff", with(session, 0, 0xff), false, 1},
		{"form-ff-at-mirror", with(session, 0, 0xff), true, 1},
	}
	for _, c := range cases {
		p, r := parseProof(c.value, c.mirror, maxCarried)
		if r != c.want {
			t.Errorf("proof %s: reason %d, want %d", c.id, r, c.want)
		}
		if r != ReasonNone {
			p = proof{}
		}
		v.add("proof", c.id, "value", c.value, "mirror", c.mirror, "reason", r, "form", p.form, "slot", p.slot,
			"sequence", p.sequence, "tick16", p.tick, "hold", p.hold, "carried", p.carried, "tag", p.tag)
	}
}
