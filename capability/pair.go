package capability

import (
	"fmt"

	"github.com/edgeistry/edgeistry"
)

// half is the mirror half of a pair: of the same nonce and frames, for the mirror verifiers of the home nodes. It differs from the
// direct capability in branch, generation and key.
type half struct {
	generation uint8
	key        [keySize]byte
}

// MintPair returns a permission to read for the device and for the mirror verifiers of its home
// nodes at once. Where the frame lets nothing be read there is no mirror half, and the result is
// that of Mint.
func MintPair(service edgeistry.ServiceID, key BranchKey, h Header, mirror BranchKey, generation uint8, first Frame) (*Capability, error) {
	if h.Branch == BranchMirror {
		return nil, fmt.Errorf("mint: branch %d is the mirror's: it has no other half", h.Branch)
	}
	c, err := Mint(service, key, h, first)
	if err != nil || !first.mirrors() {
		return c, err
	}
	other := c.Header
	other.Branch, other.Generation = BranchMirror, generation
	c.mirror = &half{generation: generation, key: headKey(mirror, other.encode(), first)}
	return c, nil
}

// Mirror returns the mirror half of a pair as a capability of its own, or nil.
func (c *Capability) Mirror() *Capability {
	if c.mirror == nil {
		return nil
	}
	m := &Capability{Header: c.Header, Frames: c.Frames, Service: c.Service, key: c.mirror.key}
	m.Header.Branch, m.Header.Generation = BranchMirror, c.mirror.generation
	return m
}

func (h *half) extend(f Frame) *half {
	if h == nil || !f.mirrors() {
		return nil
	}
	return &half{generation: h.generation, key: frameKey(h.key, f)}
}

// mirrors reports whether a mirror verifier could ever let something be read under the frame. What
// names the device itself has no meaning there: its cells, the ticks of its boots, and a guard's
// key, which is masked for the direct half.
func (f Frame) mirrors() bool {
	s, err := f.Decode()
	if err != nil {
		return false
	}
	for _, l := range s.Limits {
		switch l.Type {
		case TypeBound, TypeCount, TypeLease, TypeThirdParty:
			return false
		}
		if l.Type > lastKnownType {
			return false
		}
	}
	for _, g := range s.Grants {
		if g.Operations&(Read|Observe) != 0 && !g.has(TypeBound) {
			return true
		}
	}
	return len(s.Grants) == 0
}
