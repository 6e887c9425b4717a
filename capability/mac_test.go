package capability

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"testing"

	"github.com/edgeistry/edgeistry/coap"
)

// The lengths cross the ends of the first blocks, where the padding takes one more.
func TestMACIsHMAC(t *testing.T) {
	key := [keySize]byte{1, 2, 3}
	half, m := newMidstate(&key), newMAC()
	for n := range 5 * blockSize {
		input := bytes.Repeat([]byte{byte(n)}, n)
		h := hmac.New(sha256.New, key[:])
		h.Write(input)
		want := [keySize]byte(h.Sum(nil))
		if got := derive(key[:], input); got != want {
			t.Fatalf("derive of %d bytes = %x, want %x", n, got, want)
		}
		m.input = append(m.input[:0], input...)
		if got := *m.sumInput(&half); got != want {
			t.Fatalf("sumInput of %d bytes = %x, want %x", n, got, want)
		}
	}
}

// The guard's mac lives as long as the guard: nothing of a request, and no sum under a key, may stay in it.
func TestTaggerLeavesMACWiped(t *testing.T) {
	tagger, m := newTagger([keySize]byte{1}), newMAC()
	fresh := newMAC()
	wiped := func(what string) {
		t.Helper()
		if room := m.input[:cap(m.input)]; !bytes.Equal(room, make([]byte, len(room))) {
			t.Errorf("after %s the input holds %x", what, room)
		}
		if m.outer != fresh.outer {
			t.Errorf("after %s the outer block holds %x", what, m.outer)
		}
		if m.state != fresh.state {
			t.Errorf("after %s the state holds %x", what, m.state)
		}
		if *m.sum() != *fresh.sum() {
			t.Errorf("after %s the hash has taken something", what)
		}
		m.wipe()
		fresh.wipe()
	}
	req := callMessage("valve", bytes.Repeat([]byte{9}, 300)...)
	req.Set(coap.OptionRequest, appendSession(nil, 0, 1, 1, 0, 100, nil))
	if _, err := tagger.request(m, 1, 1, 0, 100, req); err != nil {
		t.Fatal(err)
	}
	wiped("a request")
	resp := &coap.Message{Code: coap.CodeContent, Payload: bytes.Repeat([]byte{9}, 300)}
	resp.Set(coap.OptionResponse, appendAnswerProof(nil, formSession, 0, 1, 1, 0))
	if _, err := tagger.response(m, 1, 1, 0, 1, make([]byte, tagSize), resp); err != nil {
		t.Fatal(err)
	}
	wiped("a response")
	tagger.digest(m, bytes.Repeat([]byte{9}, maxCarried))
	wiped("a digest")
	bad := callMessage("valve", 1)
	bad.Add(0xffff, []byte{9})
	if _, err := tagger.request(m, 1, 1, 0, 100, bad); err == nil {
		t.Fatal("a request with an option that may not stand there has a tag")
	}
	wiped("a request that has none")
	req.Payload = make([]byte, 0xffff)
	if _, err := tagger.request(m, 1, 1, 0, 100, req); err != nil {
		t.Fatal(err)
	}
	wiped("a long request")
	if cap(m.input) > maxInputKept {
		t.Errorf("after a request of %d bytes the mac keeps room for %d", len(req.Payload), cap(m.input))
	}
}
