package capability

import (
	"bytes"
	"strings"
	"testing"

	"github.com/edgeistry/edgeistry/coap"
)

func FuzzParse(f *testing.F) {
	for n := 1; n <= MaxFrames; n++ {
		f.Add(testChain(f, n).Text())
	}
	f.Add(testPair(f).Text())
	f.Add(tokenKind + "_")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		if got := c.Text(); got != text {
			t.Errorf("Parse(%q).Text() = %q", text, got)
		}
		c.Describe()
		c.Cost()
	})
}

func FuzzDecodeFrame(f *testing.F) {
	for _, c := range evaluateCases() {
		for _, text := range c.frames {
			f.Add(unhex(f, text))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Frame(b).Decode()
		Frame(b).Describe()
		situation := Situation{Target: Target{Operation: Call, Name: "valve"}, Payload: []byte{1}}
		if d := evaluateAlone(b, &situation); err != nil && d.Reason == ReasonNone {
			t.Errorf("malformed (%v) and it admits: %x", err, b)
		}
		if err != nil {
			return
		}
		again, err := s.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x encodes to %x, %v", b, again, err)
		}
	})
}

func FuzzDecodeParts(f *testing.F) {
	for n := 1; n <= MaxFrames; n++ {
		f.Add(testChain(f, n).Carried())
	}
	h := &Hello{capability: demanding(f, wide(f, 1), guardCapability(f)), Also: []*Capability{wide(f, 2)}}
	h.Discharges = []*Discharge{discharge(f, guardCapability(f), grantCall(20))}
	if _, carried, err := h.prove([cookieSize]byte{}); err == nil {
		f.Add(carried)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var parts [MaxParts]part
		n, err := decodeParts(b, &parts)
		if err != nil {
			return
		}
		if again := encodeParts(t, parts[:n]); !bytes.Equal(again, b) {
			t.Errorf("%x encodes to %x", b, again)
		}
	})
}

func FuzzProof(f *testing.F) {
	carried := testChain(f, 2).Carried()
	f.Add(appendOpen(nil, 0, [nonceSize]byte{}, [cookieSize]byte{}, 1, 100, carried), false)
	f.Add(appendSession(nil, 0, 2, 7, 0xbeef, 100, nil), false)
	f.Add(appendSession(nil, mirrorBit, 2, 7, 0xbeef, 100, carried), true)
	f.Fuzz(func(t *testing.T, b []byte, mirror bool) {
		p, r := parseProof(b, mirror, maxCarried)
		if r != ReasonNone {
			return
		}
		var again []byte
		if p.form == formOpen {
			again = appendOpen(nil, b[0]&(mirrorBit|privateBit), p.nonce, p.cookie, p.sequence, p.hold, p.carried)
		} else {
			again = appendSession(nil, b[0]&(mirrorBit|privateBit), p.slot, p.sequence, p.tick, p.hold, p.carried)
		}
		copy(again[len(again)-len(p.tag):], p.tag)
		if !bytes.Equal(again, b) {
			t.Errorf("%x encodes to %x", b, again)
		}
	})
}

// FuzzGuard hands a guard with an open session one request of the fuzzer's making. Nothing but the session's own
// requests may pass.
func FuzzGuard(f *testing.F) {
	m := newMeeting(f, nil)
	s := m.session(wideOwner())
	m.ask(s, callMessage("valve", 1))
	for _, req := range []*coap.Message{callMessage("valve", 1), readMessage("temperature", "s=1", "n=2")} {
		if _, err := s.Protect(req, 0, m.now); err != nil {
			f.Fatal(err)
		}
		value, _ := req.Get(coap.OptionRequest)
		f.Add(req.Code, req.Path(), strings.Join(req.Queries(), "&"), value, uint16(coap.OptionSize1), []byte{1}, req.Payload)
	}
	f.Fuzz(func(t *testing.T, code uint8, path, query string, proof []byte, number uint16, value, payload []byte) {
		m := newMeeting(t, nil)
		s := m.session(wideOwner())
		m.ask(s, callMessage("valve", 1))
		req := &coap.Message{Code: code, Payload: payload}
		for _, segment := range strings.Split(strings.TrimPrefix(path, "/"), "/") {
			req.Add(coap.OptionURIPath, []byte(segment))
		}
		for _, q := range strings.Split(query, "&") {
			if q != "" {
				req.Add(coap.OptionURIQuery, []byte(q))
			}
		}
		req.Add(number, value)
		req.Add(coap.OptionRequest, proof)
		before := req.Clone()
		a, resp := m.g.Check(req, m.verifierNow())
		if a != nil {
			if resp = a.Answer(application(a, req), m.verifierNow()); resp.Code == 0 {
				t.Errorf("admitted and answered with code 0")
			}
		} else if resp.Success() && !bytes.Equal(proof, nil) && m.runs == 0 {
			t.Errorf("not admitted and a success: %+v", resp)
		}
		if resp.Code>>5 < 2 {
			t.Errorf("code %s is no answer", coap.CodeText(resp.Code))
		}
		if !bytes.Equal(coapBytes(before, 0, 0, nil), coapBytes(req, 0, 0, nil)) {
			t.Error("Check changed the request")
		}
	})
}

func wideOwner() *Capability { return Owner(testService(), testKey(), 1) }

func FuzzHello(f *testing.F) {
	f.Add((&Hello{capability: wideOwner()}).Payload())
	f.Fuzz(func(t *testing.T, payload []byte) {
		m := newMeeting(t, nil)
		cookie, r := m.g.Hello(payload, m.verifierNow())
		if (r == ReasonNone) != (len(payload) == helloSize && payload[nonceSize]>>4 == version) {
			t.Errorf("Hello(%x) = %x, %v", payload, cookie, r)
		}
		if len(cookie) > len(payload) {
			t.Errorf("the answer is larger than the question")
		}
	})
}

func FuzzParseSetupCode(f *testing.F) {
	for _, c := range setupCases() {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseSetupCode(text)
		if err != nil {
			return
		}
		again, err := ParseSetupCode(c.Text())
		if err != nil || again.ID != c.ID || again.Seed != c.Seed {
			t.Errorf("%q: Text() = %q, %v", text, c.Text(), err)
		}
	})
}

func FuzzClaim(f *testing.F) {
	owner := newOwner(f, testSetup())
	first := owner.First()
	answer, _ := newDevice().Answer(first, Now{})
	second, err := owner.Second(answer)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(first)
	f.Add(second)
	f.Add(answer)
	f.Fuzz(func(t *testing.T, b []byte) {
		device := newDevice()
		if out, _ := device.Answer(b, Now{}); len(out) > len(b) {
			t.Error("the answer is larger than the question")
		}
		if device.Claimed && !bytes.Equal(b, second) {
			t.Errorf("claimed by %x", b)
		}
		owner := newOwner(t, testSetup())
		if _, err := owner.Second(b); err == nil {
			_, _ = owner.Finish(b)
		}
	})
}

func FuzzTarget(f *testing.F) {
	f.Add(uint8(1), "l", "temperature", "s=1", "n=2")
	f.Add(uint8(2), "f", "valve", "", "")
	for _, c := range queryCases() {
		f.Add(uint8(1), "l", "temperature", strings.Join(c.queries, "&"), "")
	}
	f.Fuzz(func(t *testing.T, code uint8, first, second, q1, q2 string) {
		m := plainMessage(code, first, second)
		for _, q := range []string{q1, q2} {
			if q != "" {
				m.Add(coap.OptionURIQuery, []byte(q))
			}
		}
		target, r := TargetOf(m)
		if r != ReasonNone {
			return
		}
		again := plainMessage(code, first, second)
		again.SetQuery(target.Query)
		if got, r := TargetOf(again); r != ReasonNone || got != target {
			t.Errorf("%+v becomes %+v, %v", target, got, r)
		}
	})
}
