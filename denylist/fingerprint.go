package denylist

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/edgeistry/edgeistry/capability"
)

// Fingerprint names a capability and everything narrowed from it: the first 16 bytes of SHA-256 over header and frames, as carried.
type Fingerprint [16]byte

func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// Parse reads what String gives.
func Parse(text string) (Fingerprint, error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(Fingerprint{}) {
		return Fingerprint{}, fmt.Errorf("%.40q is no fingerprint (32 hex digits)", text)
	}
	return Fingerprint(b), nil
}

func fingerprint(carried []byte) Fingerprint {
	sum := sha256.Sum256(carried)
	return Fingerprint(sum[:])
}

// Of gives the fingerprint of a capability.
func Of(c *capability.Capability) Fingerprint {
	carried, _ := capability.EncodeCarried(c.Header, c.Frames) // a Capability that can be made can be encoded
	return fingerprint(carried)
}

// Chain gives the fingerprints of a capability and of all that it was narrowed from, the widest first.
func Chain(c *capability.Capability) []Fingerprint {
	carried, _ := capability.EncodeCarried(c.Header, c.Frames)
	return shown(carried)
}

// Marks in a carried form, where the length of a frame would be (docs/spec/capability.md, Carried form).
const (
	markPart      = 0xE0
	markDischarge = 0xF0
	bindingSize   = 16
)

// shown gives the fingerprints in a carried form: of each part, at every frame. It ends where the form is not what a verifier accepts.
func shown(b []byte) (found []Fingerprint) {
	for len(b) > capability.HeaderSize {
		end := capability.HeaderSize
		for end < len(b) && b[end] <= capability.MaxFrame {
			if end += 1 + int(b[end]); end > len(b) {
				return found
			}
			found = append(found, fingerprint(b[:end]))
		}
		for end < len(b) && b[end] > markDischarge && b[end] <= markDischarge+capability.MaxFrames {
			if end+1 == len(b) {
				return found
			}
			if end += 2 + int(b[end+1]) + bindingSize; end > len(b) {
				return found
			}
		}
		if end >= len(b) || b[end] != markPart {
			return found
		}
		b = b[end+1:]
	}
	return found
}
