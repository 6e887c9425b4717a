package phrase

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
)

func bytesFor(label string, n int) []byte {
	sum := sha256.Sum256([]byte(label))
	return sum[:n]
}

func testPeer() edgeistry.PeerKey { return edgeistry.PeerKey(bytesFor("peer", 32)) }

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustFrame(t testing.TB, s capability.FrameSpec) capability.Frame {
	t.Helper()
	f, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// guarded returns the limit that demands the word of a guard, whose capability is of branch 9.
func guarded(t testing.TB) capability.Limit {
	t.Helper()
	seed := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	service := edgeistry.ServiceID(seed.Public().(ed25519.PublicKey))
	key := capability.EpochKey(bytesFor("epoch", len(capability.EpochKey{})))
	c, err := capability.Mint(service, key.Branch(1, 3, 2), capability.Header{Branch: 3, Epoch: 1, Generation: 2, Nonce: [4]byte{0xc0, 0, 0, 1}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	guard, err := capability.Mint(service, key.Branch(1, 9, 0), capability.Header{Branch: 9, Epoch: 1, Nonce: [4]byte{0xd0, 0, 0, 1}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := c.ThirdParty(bytes.NewReader(bytesFor("guard", 32)), guard)
	if err != nil {
		t.Fatal(err)
	}
	return l
}
