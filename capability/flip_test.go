package capability

import (
	"testing"

	"github.com/edgeistry/edgeistry/coap"
)

// The tag covers everything that the verifier acts on: of recorded requests, every bit of every covered field is
// flipped, and none of them is admitted; then the request itself is.
func TestFlippedRequests(t *testing.T) {
	r := newRandom(4)
	flips := 0
	for i := range 60 {
		m := newMeeting(t, nil)
		c := Owner(testService(), testKey(), 1)
		for range r.IntN(4) {
			next, err := c.extend(mustFrame(t, FrameSpec{Limits: []Limit{{Type: TypeSalt, Salt: [4]byte(r.bytes(4))}, {Type: TypeHold, Hold: 200}}}))
			if err != nil {
				t.Fatal(err)
			}
			c = next
		}
		s := m.session(c)
		if i%2 == 1 {
			m.ask(s, callMessage("valve", 1))
		}
		m.runs = 0
		req := requestSamples()[i%2*2] // call or all; without the queries that a POST may not have
		req.message.Remove(coap.OptionURIQuery)
		p, err := s.Protect(req.message, 0, m.now)
		if err != nil {
			t.Fatal(err)
		}
		flipped := func(what string, at int, change func(*coap.Message)) {
			t.Helper()
			flips++
			bad := req.message.Clone()
			change(bad)
			if a, resp := m.g.Check(bad, m.verifierNow()); a != nil {
				t.Fatalf("%s: %s %d flipped is admitted", req.id, what, at)
			} else if _, tagged := resp.Get(coap.OptionResponse); tagged {
				t.Fatalf("%s: %s %d flipped gets a tagged answer", req.id, what, at)
			}
		}
		for bit := range 8 {
			flipped("code bit", bit, func(m *coap.Message) { m.Code ^= 1 << bit })
		}
		for bit := range 8 * len(req.message.Payload) {
			flipped("payload bit", bit, func(m *coap.Message) { m.Payload[bit/8] ^= 1 << (bit % 8) })
		}
		flipped("payload longer", 0, func(m *coap.Message) { m.Payload = append(m.Payload, 0) })
		flipped("payload cut", 0, func(m *coap.Message) { m.Payload = m.Payload[:len(m.Payload)-1] })
		for o, option := range req.message.Options {
			if coverageOf(option.Number) != covered {
				continue
			}
			for bit := range 8 * len(option.Value) {
				flipped("option bit", int(option.Number)*1000+bit, func(m *coap.Message) { m.Options[o].Value[bit/8] ^= 1 << (bit % 8) })
			}
			flipped("option longer", int(option.Number), func(m *coap.Message) { m.Options[o].Value = append(m.Options[o].Value, 0) })
			flipped("option gone", int(option.Number), func(m *coap.Message) { m.Options = append(m.Options[:o], m.Options[o+1:]...) })
			flipped("option twice", int(option.Number), func(m *coap.Message) { m.Add(option.Number, option.Value) })
		}
		if v, err := s.Verify(p, m.do(req.message), m.now); err != nil || v.Reason != ReasonNone || m.runs != 1 {
			t.Fatalf("%s: the request itself: %+v, %v, ran %d times", req.id, v, err, m.runs)
		}
	}
	if flips < 20_000 {
		t.Errorf("%d flips are too few to show anything", flips)
	}
}

// The same of answers, at the caller.
func TestFlippedAnswers(t *testing.T) {
	m := newMeeting(t, nil)
	s := m.session(Owner(testService(), testKey(), 1))
	for i := range 4 {
		req := callMessage("valve", 1)
		p, err := s.Protect(req, 0, m.now)
		if err != nil {
			t.Fatal(err)
		}
		a, refusal := m.g.Check(req, m.verifierNow())
		if a == nil {
			t.Fatalf("refused: %x", refusal.Payload)
		}
		resp := &coap.Message{Code: coap.CodeContent, Payload: []byte("payload")}
		resp.Add(coap.OptionETag, []byte{1, 2})
		resp.AddUint(coap.OptionContentFormat, coap.ContentFormatOctets)
		resp.AddUint(coap.OptionBlock2, 6)
		resp.AddUint(coap.OptionBlock1, 6)
		if i%2 == 1 {
			resp = (Denial{Reason: ReasonDenied, Frame: 1, Constraint: TypeBound}).message()
		}
		a.Answer(resp, m.verifierNow())
		flipped := func(what string, at int, change func(*coap.Message)) {
			t.Helper()
			bad := resp.Clone()
			change(bad)
			if v, err := s.Verify(p, bad, m.now); err == nil && v.Tagged {
				t.Errorf("answer %d: %s %d flipped: %+v", i, what, at, v)
			}
		}
		for bit := range 8 {
			flipped("code bit", bit, func(m *coap.Message) { m.Code ^= 1 << bit })
		}
		for bit := range 8 * len(resp.Payload) {
			flipped("payload bit", bit, func(m *coap.Message) { m.Payload[bit/8] ^= 1 << (bit % 8) })
		}
		for o, option := range resp.Options {
			for bit := range 8 * len(option.Value) {
				flipped("option bit", int(option.Number)*1000+bit, func(m *coap.Message) { m.Options[o].Value[bit/8] ^= 1 << (bit % 8) })
			}
			flipped("option gone", int(option.Number), func(m *coap.Message) { m.Options = append(m.Options[:o], m.Options[o+1:]...) })
			flipped("option twice", int(option.Number), func(m *coap.Message) { m.Add(option.Number, option.Value) })
			flipped("option longer", int(option.Number), func(m *coap.Message) { m.Options[o].Value = append(m.Options[o].Value, 0) })
		}
		if v, err := s.Verify(p, resp, m.now); err != nil || !v.Tagged {
			t.Fatalf("the answer itself: %+v, %v", v, err)
		}
	}
}
