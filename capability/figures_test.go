package capability

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"testing"

	"github.com/edgeistry/edgeistry/coap"
)

// What bench/capability runs: the construction, the compressions of SHA-256 that it cannot do without, and others' signatures, in one process.
// FigureRaw2 is two single compressions, and so on: each waits for the one before it and has a state of its own, as in a chain of HMACs.

func BenchmarkFigureRaw2(b *testing.B)  { single(b, 2) }
func BenchmarkFigureRaw4(b *testing.B)  { single(b, 4) }
func BenchmarkFigureRaw10(b *testing.B) { single(b, 10) }

func single(b *testing.B, n int) {
	var sum [sha256.Size]byte
	for b.Loop() {
		for range n {
			sum = sha256.Sum256(sum[:])
		}
	}
}

// twoFrames is the owner's capability narrowed to calling the valve: what firmware/bench verifies too.
func twoFrames(tb testing.TB) *Capability {
	tb.Helper()
	c, err := Owner(testService(), testKey(), 1).Attenuate(newRandom(1), FrameSpec{Grants: []Grant{{Operations: Call, Name: "valve"}}})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// A capability of two frames as carried and one request under its last key, nothing kept but the branch's key: parsed, the chain walked, the tag
// checked, the frames evaluated. 10 compressions where that key is ready: k0 2, k1 4, a tag over 42 bytes 4.
func BenchmarkFigureVerify2(b *testing.B) {
	kb, carried, req := aloneRequest(b)
	b.ReportAllocs()
	for b.Loop() {
		if !verifyAlone(&kb, carried, req) {
			b.Fatal("refused")
		}
	}
}

func TestVerifyAlone(t *testing.T) {
	kb, carried, req := aloneRequest(t)
	if !verifyAlone(&kb, carried, req) {
		t.Error("verifyAlone(request) = false, want true")
	}
	req.Payload[0]++
	if verifyAlone(&kb, carried, req) {
		t.Error("verifyAlone(altered request) = true, want false")
	}
	req.Payload[0]--
	carried[len(carried)-1]++
	if verifyAlone(&kb, carried, req) {
		t.Error("verifyAlone(altered frame) = true, want false")
	}
}

// aloneRequest calls the valve under the capability itself, with no session.
func aloneRequest(tb testing.TB) (midstate, []byte, *coap.Message) {
	tb.Helper()
	c := twoFrames(tb)
	kb := testKey().Branch(1, c.Header.Branch, 0)
	req := callMessage("valve", 20)
	value := appendSession(nil, 0, slotOpening, 5, 1000, 100, nil)
	req.Set(coap.OptionRequest, value)
	sum, err := newTagger(frameKey(headKey(kb, c.Header.encode(), c.Frames[0]), c.Frames[1])).request(newMAC(), slotOpening, 5, 1000, 100, req)
	if err != nil {
		tb.Fatal(err)
	}
	copy(value[len(value)-tagSize:], sum[:])
	return newMidstate((*[keySize]byte)(&kb)), c.Carried(), req
}

// verifyAlone is bench_verify of firmware/bench.
func verifyAlone(kb *midstate, carried []byte, req *coap.Message) bool {
	value, r := scan(req)
	if r != ReasonNone {
		return false
	}
	var p proof
	if p.parse(value, false) != ReasonNone {
		return false
	}
	var parts [MaxParts]part
	n, err := decodeParts(carried, &parts)
	if err != nil {
		return false
	}
	m := macs.Get().(*mac)
	defer m.release()
	header := carried[:headerSize]
	frames := parts[0].frames[:parts[0].nframes]
	m.input = append(append(m.input[:0], labelHead, headerSize), header...)
	m.input = append(append(m.input, byte(len(frames[0]))), frames[0]...)
	key := *m.sumInput(kb)
	for _, f := range frames[1:] {
		key = frameKey(key, f)
	}
	m.input = binary.BigEndian.AppendUint32(append(m.input[:0], labelRequest, p.slot), p.sequence)
	m.input = binary.BigEndian.AppendUint32(m.input, uint32(p.tick))
	if m.input, err = canonicalRequest(append(m.input, p.hold), req); err != nil {
		return false
	}
	if sum := derive(key[:], m.input); !hmac.Equal(sum[:tagSize], p.tag) {
		return false
	}
	var target Target
	if target.read(req, "valve") != ReasonNone { // a verifier knows what it offers
		return false
	}
	s := Situation{Target: target, Payload: req.Payload, Hold: p.hold}
	return s.judge(parts[:n]).Reason == ReasonNone
}

// A request in a session at the guard, its answer apart: 2 compressions. The window is set back, so that the same request is new each time.
func BenchmarkFigureSessionRequest(b *testing.B) {
	check := checkSessionRequest(b)
	b.ReportAllocs()
	for b.Loop() {
		check()
	}
}

func checkSessionRequest(tb testing.TB) (check func()) {
	tb.Helper()
	m := newMeeting(tb, nil)
	s := m.session(twoFrames(tb))
	m.ask(s, callMessage("valve", 20))
	req := callMessage("valve", 20)
	if _, err := s.Protect(req, 0, m.now); err != nil {
		tb.Fatal(err)
	}
	now := m.verifierNow()
	window := &m.g.slots[s.slot].window
	before := *window
	var a Admission // Check makes one for its caller
	return func() {
		*window = before
		a = Admission{}
		if resp := m.g.check(&a, asked{now: now}, req); resp != nil {
			tb.Fatalf("refused: %x", resp.Payload)
		}
	}
}

// One HMAC of 32 bytes under a key of 32: 4 compressions.
func BenchmarkFigureSign(b *testing.B) {
	key, input := make([]byte, 32), make([]byte, 32)
	b.ReportAllocs()
	for b.Loop() {
		derive(key, input)
	}
}

func BenchmarkFigureRSASign(b *testing.B) {
	key, digest := rsaKey(), sha256.Sum256(nil)
	for b.Loop() {
		if _, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFigureRSAVerify(b *testing.B) {
	key, digest := rsaKey(), sha256.Sum256(nil)
	sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], sig); err != nil {
			b.Fatal(err)
		}
	}
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func BenchmarkFigureECDSASign(b *testing.B) {
	key, digest := ecdsaKey(), sha256.Sum256(nil)
	for b.Loop() {
		if _, err := ecdsa.SignASN1(rand.Reader, key, digest[:]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFigureECDSAVerify(b *testing.B) {
	key, digest := ecdsaKey(), sha256.Sum256(nil)
	sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], sig) {
			b.Fatal("refused")
		}
	}
}

var ecdsaKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})
