package capability

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/coap"
)

// compress measures what n compressions of SHA-256 alone take: the floor under everything here.
func compress(b *testing.B, n int) {
	block := make([]byte, 64*n-9) // the padding takes the last 9 bytes
	for b.Loop() {
		sha256.Sum256(block)
	}
}

// BenchmarkVerify2 walks the chain of two frames to the session key and checks the tag that opens: 5 HMACs.
func BenchmarkVerify2(b *testing.B) {
	c := testChain(b, 2)
	kb, header := testKey().Branch(1, 3, 2), c.Header.encode()
	nonce, cookie := [nonceSize]byte{1}, [cookieSize]byte{2}
	req := callMessage("valve", 1)
	req.Set(coap.OptionRequest, appendOpen(nil, 0, nonce, cookie, 1, 100, c.Carried()))
	m := newMAC()
	b.ReportAllocs()
	for b.Loop() {
		k := frameKey(headKey(kb, header, c.Frames[0]), c.Frames[1])
		if _, err := newTagger(sessionKey(k, nonce, cookie)).request(m, slotOpening, 1, 0, 100, req); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerify2Floor is the compressions of BenchmarkVerify2: 3 HMACs of 4, and a tag over 168 bytes of 6.
func BenchmarkVerify2Floor(b *testing.B) { compress(b, 18) }

// BenchmarkOpen is a hello and an OPEN at the guard.
func BenchmarkOpen(b *testing.B) {
	m := newMeeting(b, func(cfg *GuardConfig) { cfg.Generations[3] = 2 })
	c := testChain(b, 2)
	b.ReportAllocs()
	for b.Loop() {
		m.now = m.now.Add(3 * time.Second)
		s := m.session(c)
		req := callMessage("valve", 1)
		if _, err := s.Protect(req, 0, m.now); err != nil {
			b.Fatal(err)
		}
		if a, resp := m.g.Check(req, m.verifierNow()); a == nil {
			b.Fatalf("refused: %x", resp.Payload)
		}
	}
}

// BenchmarkSessionRequest is what a guard does to verify a request in a session: its form, its tag, the window, the frames. One
// HMAC of 2 compressions. Each request comes once, so they are made ahead.
func BenchmarkSessionRequest(b *testing.B) {
	m := newMeeting(b, func(cfg *GuardConfig) { cfg.Generations[3] = 2 })
	s := m.session(testChain(b, 2))
	m.ask(s, callMessage("valve", 1))
	now := m.verifierNow()
	var reqs [256]*coap.Message
	var at int
	b.ReportAllocs()
	var a Admission
	for b.Loop() {
		if at%len(reqs) == 0 {
			b.StopTimer()
			for i := range reqs {
				reqs[i] = callMessage("valve", 1)
				if _, err := s.Protect(reqs[i], 0, m.now); err != nil {
					b.Fatal(err)
				}
			}
			b.StartTimer()
		}
		a = Admission{}
		if resp := m.g.check(&a, asked{now: now}, reqs[at%len(reqs)]); resp != nil {
			b.Fatalf("refused: %x", resp.Payload)
		}
		at++
	}
}

// BenchmarkCompression is one compression of SHA-256 as the standard library offers it: the floor under everything here.
func BenchmarkCompression(b *testing.B) { compress(b, 1) }

// BenchmarkExchange is a request in a session, all of it: protected, checked, answered, verified. 4 tags.
func BenchmarkExchange(b *testing.B) {
	m := newMeeting(b, nil)
	s := m.session(wideOwner())
	m.ask(s, callMessage("valve", 1))
	now := m.verifierNow()
	req := callMessage("valve", 1)
	b.ReportAllocs()
	for b.Loop() {
		p, err := s.Protect(req, 0, m.now)
		if err != nil {
			b.Fatal(err)
		}
		a, resp := m.g.Check(req, now)
		if a == nil {
			b.Fatalf("refused: %x", resp.Payload)
		}
		resp = a.Answer(&coap.Message{Code: coap.CodeChanged}, now)
		if _, err := s.Verify(p, resp, m.now); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTag is one tag of a session.
func BenchmarkTag(b *testing.B) {
	req := callMessage("valve", 1)
	req.Set(coap.OptionRequest, appendSession(nil, 0, 1, 1, 0, 100, nil))
	t, m := newTagger([keySize]byte{1}), newMAC()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := t.request(m, 1, 1, 0, 100, req); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTagFloor is the compressions of BenchmarkTag.
func BenchmarkTagFloor(b *testing.B) { compress(b, 2) }

func BenchmarkEvaluate(b *testing.B) {
	c := testChain(b, 4)
	s := Situation{Target: Target{Operation: Call, Name: "valve"}, Payload: []byte{20}, Hold: 50, Now: Now{Unix: 1}}
	b.ReportAllocs()
	for b.Loop() {
		if d := evaluateFrames(c.Frames, &s); d.Reason != ReasonNone {
			b.Fatal(d)
		}
	}
}
