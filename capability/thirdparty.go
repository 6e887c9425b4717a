package capability

import (
	"crypto/subtle"
	"fmt"
	"io"
	"slices"
)

// ThirdParty demands the word of a guard: a discharge, made with a capability of the guard's own service. Who adds it shares that
// capability with the guard, and its key travels in VID, masked so that only a verifier of this chain can read it.
//
// The construction is that of third-party caveats in macaroons (Birgisson and others, NDSS 2014), with HMACs only.
type ThirdParty struct {
	Guard      [4]byte // hint of the guard's service
	GuardNonce [4]byte // of the capability that the guard has
	FrameNonce [4]byte
	VID        [keySize]byte
}

const thirdPartySize = 4 + 4 + 4 + keySize

// parseThirdParty reads guard hint (4) | guard nonce (4) | frame nonce (4) | vid (32).
func parseThirdParty(v []byte) (ThirdParty, error) {
	if len(v) != thirdPartySize {
		return ThirdParty{}, errConstraint
	}
	return ThirdParty{[4]byte(v), [4]byte(v[4:]), [4]byte(v[8:]), [keySize]byte(v[12:])}, nil
}

func (t ThirdParty) encode() []byte {
	return slices.Concat(t.Guard[:], t.GuardNonce[:], t.FrameNonce[:], t.VID[:])
}

// describe names the guard by its hint: that is all that a frame knows.
func (t ThirdParty) describe() string { return fmt.Sprintf("with the word of the guard %x", t.Guard) }

// mask returns vid XOR H(k, 10 | frame nonce), k the key before the frame: the guard's key out of VID, or the other way.
func (t ThirdParty) mask(k [keySize]byte) (out [keySize]byte) {
	pad := derive(k[:], append([]byte{labelVID}, t.FrameNonce[:]...))
	subtle.XORBytes(out[:], t.VID[:], pad[:])
	return out
}

// ThirdParty returns the limit that demands a discharge of guard, for the next frame of c and no
// other capability.
func (c *Capability) ThirdParty(random io.Reader, guard *Capability) (Limit, error) {
	t := ThirdParty{Guard: guard.Header.Hint, GuardNonce: guard.Header.Nonce, VID: guard.key}
	if _, err := io.ReadFull(random, t.FrameNonce[:]); err != nil {
		return Limit{}, fmt.Errorf("third party: %w", err)
	}
	t.VID = t.mask(c.key)
	return Limit{Type: TypeThirdParty, ThirdParty: t}, nil
}
