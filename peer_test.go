package edgeistry

import (
	"math/rand/v2"
	"testing"
)

func TestPeerKey(t *testing.T) {
	const text = "12D3KooWBmAwcd4PJNJvfV89HwE48nwkRmAgo8Vy3uQEyNNHBox2" // libp2p, "Peer IDs and Keys": an Ed25519 key
	p, err := ParsePeerKey(text)
	if err != nil || p.String() != text {
		t.Fatalf("ParsePeerKey(%s) = %s, %v", text, p, err)
	}
	r := rand.NewChaCha8([32]byte{1})
	for range 200 {
		var key PeerKey
		_, _ = r.Read(key[:]) // never fails
		if got, err := ParsePeerKey(key.String()); err != nil || got != key {
			t.Errorf("%x: %v, %v", key[:], got, err)
		}
	}
	for _, bad := range []string{"", "1", text[1:], text + "1", "1" + text, "QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC", text[:20] + "0" + text[21:], PeerKey{}.String(), string(make([]byte, 1000))} {
		if p, err := ParsePeerKey(bad); err == nil {
			t.Errorf("ParsePeerKey(%q) = %x", bad, p[:])
		}
	}
}
