package capability

const (
	maxCookieAge = 100 // ticks: 10 s
	defaultOpens = 16
	maxOpens     = 4096
	ringOwner    = 2 // more, for branch 0 only
	ringMark     = 4 // bytes of the cookie's MAC that stand for it
)

// usedRing remembers the cookies that opened a session, while they could open another one.
type usedRing struct{ all, owners usedCookies }

func newRing(opens int) usedRing {
	return usedRing{all: newUsedCookies(opens), owners: newUsedCookies(ringOwner)}
}

func (r *usedRing) has(mark [ringMark]byte, now uint32) bool {
	return r.all.has(mark, now) || r.owners.has(mark, now)
}

// room returns what has room for a cookie of this branch, or nil. The owner takes its own last.
func (r *usedRing) room(branch uint8, now uint32) *usedCookies {
	switch {
	case r.all.hasRoom(now):
		return &r.all
	case branch == BranchOwner && r.owners.hasRoom(now):
		return &r.owners
	}
	return nil
}

// usedCookies are so many at the most. To find one takes the same time however many there are, and to find room too, but for once
// a tick.
type usedCookies struct {
	most  int
	ticks map[[ringMark]byte]uint32 // of the cookies
	swept uint32                    // when old ones were last dropped
}

func newUsedCookies(most int) usedCookies {
	return usedCookies{most: most, ticks: map[[ringMark]byte]uint32{}}
}

// outdated reports whether a cookie opens nothing any more.
func outdated(tick, now uint32) bool { return elapsed(tick, now) > maxCookieAge }

func (u *usedCookies) has(mark [ringMark]byte, now uint32) bool {
	tick, used := u.ticks[mark]
	return used && !outdated(tick, now)
}

func (u *usedCookies) hasRoom(now uint32) bool {
	if len(u.ticks) >= u.most && u.swept != now { // within a tick no more of them become outdated
		u.swept = now
		for mark, tick := range u.ticks {
			if outdated(tick, now) {
				delete(u.ticks, mark)
			}
		}
	}
	return len(u.ticks) < u.most
}
