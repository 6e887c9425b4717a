package capability

import "crypto/subtle"

const (
	maxCookieAge = 100 // ticks: 10 s
	ringGeneral  = 16
	ringOwner    = 2 // more, for branch 0 only
	ringMark     = 4 // bytes of the cookie's MAC that stand for it
)

// usedRing remembers the cookies that opened a session, while they could open another one.
type usedRing [ringGeneral + ringOwner]usedCookie

type usedCookie struct {
	inUse bool
	tick  uint32 // of the cookie
	mark  [ringMark]byte
}

func (u *usedCookie) free(now uint32) bool { return !u.inUse || now-u.tick > maxCookieAge }

func (r *usedRing) has(mark [ringMark]byte, now uint32) bool {
	found := 0
	for i := range r {
		if !r[i].free(now) {
			found |= subtle.ConstantTimeCompare(r[i].mark[:], mark[:])
		}
	}
	return found == 1
}

// room gives a free entry that this branch may take, or nil. The owner takes its own two last.
func (r *usedRing) room(branch uint8, now uint32) *usedCookie {
	n := ringGeneral
	if branch == BranchOwner {
		n += ringOwner
	}
	for i := range n {
		if r[i].free(now) {
			return &r[i]
		}
	}
	return nil
}
