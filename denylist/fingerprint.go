package denylist

import (
	"encoding/hex"
	"fmt"

	"github.com/edgeistry/edgeistry/capability"
)

// Fingerprint names a capability and everything narrowed from it.
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

// Of returns the fingerprint of a capability. The mirror half of a pair has its own.
func Of(c *capability.Capability) Fingerprint { return c.Fingerprint() }

// Chain returns the fingerprints of a capability and of all that it was narrowed from, the broadest
// first.
func Chain(c *capability.Capability) []Fingerprint { return listed(c.Fingerprints()) }

func listed(fingerprints [][16]byte) []Fingerprint {
	var out []Fingerprint
	for _, f := range fingerprints {
		out = append(out, f)
	}
	return out
}
