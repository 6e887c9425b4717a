package capability

import (
	"crypto/hmac"
	"slices"
)

const (
	defaultSlots  = 4
	maxSlots      = 255
	minResidency  = 20 // ticks: a session of less than 2 s is not evicted
	maxKeptAnswer = 24 // bytes of payload
)

// slot is what a verifier keeps of a session.
type slot struct {
	inUse        bool
	id           uint64 // of the session: slots are used again, ids are not
	branch       uint8  // of the first part
	nonce        [4]byte
	all          uint16         // branches of all parts: bit b
	mark         [ringMark]byte // of the cookie that opened it
	tagger       *tagger
	window       window
	opened       uint32 // tick
	used         uint32 // tick at which its newest request was let through
	carried      []byte // nil: longer than keptCarried, digest stands for it
	parts        []part // of carried
	digest       [digestSize]byte
	fingerprints [][16]byte // where there is a deny list
	meters       meters
	name         string        // of the last request's target, so that the next one needs no string of its own
	last         [tagSize]byte // tag of the request that last passed the window, its first 8 bytes
	answer       keptAnswer    // to that request
}

// keptAnswer is an answer that a duplicate gets again, bit for bit.
type keptAnswer struct {
	kept    bool
	code    uint8
	tick    uint32
	size    uint8
	payload [maxKeptAnswer + privateOverhead]byte
}

func (s *slot) matches(m *mac, carried []byte) bool {
	if s.carried != nil {
		return hmac.Equal(s.carried, carried)
	}
	digest := s.tagger.digest(m, carried)
	return hmac.Equal(s.digest[:], digest[:])
}

// accept notes the request that passed the window; the answer to it is not known yet.
func (s *slot) accept(tag []byte, now uint32) {
	copy(s.last[:], tag)
	s.used = now
	s.answer.kept = false
}

// slotFor finds the slot for a new session: the lowest free one, else the one to evict, else -1. Slot 0 is the
// owner's, and its last session falls to nobody else, wherever it is; a capability that has slots already evicts only one of these.
func slotFor(slots []slot, h Header, now uint32) int {
	first := 1
	if h.Branch == BranchOwner {
		first = 0
	}
	holds, owners := false, 0
	for i := range slots {
		holds = holds || slots[i].of(h)
		if slots[i].inUse && slots[i].branch == BranchOwner {
			owners++
		}
	}
	best := -1
	for i := first; i < len(slots); i++ {
		s := &slots[i]
		switch {
		case !s.inUse:
			return i
		case elapsed(s.opened, now) <= minResidency, holds && !s.of(h), first == 1 && s.branch == BranchOwner && owners == 1:
		case best < 0 || s.used < slots[best].used:
			best = i
		}
	}
	return best
}

func (s *slot) of(h Header) bool { return s.inUse && s.branch == h.Branch && s.nonce == h.Nonce }

// fill opens a session in the slot.
func (s *slot) fill(m *mac, id uint64, p *proof, mark [ringMark]byte, t *tagger, now uint32) {
	first := p.parts[0].header
	*s = slot{
		inUse: true, id: id, branch: first.Branch, nonce: first.Nonce, mark: mark,
		tagger: t, window: newWindow(p.sequence), opened: now,
	}
	for i := range p.parts {
		s.all |= 1 << p.parts[i].header.Branch
	}
	s.accept(p.tag, now)
	if len(p.carried) <= keptCarried {
		s.carried, s.parts = ownParts(p.carried)
	} else {
		s.digest = t.digest(m, p.carried)
	}
}

// ownParts copies a carried form that has been decoded before.
func ownParts(carried []byte) ([]byte, []part) {
	var parts [MaxParts]part
	own := slices.Clone(carried)
	n, _ := decodeParts(own, &parts)
	return own, slices.Clone(parts[:n])
}
