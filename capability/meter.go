package capability

import "slices"

// frameIndex numbers the frames of all parts, from 0.
func frameIndex(part, frame int) int { return MaxFrames*part + frame }

// meters are what the COUNT and RATE constraints of one session stand for, found when it opens.
type meters struct {
	guard *Guard

	cells   [MaxCells]uint8             // the frame that the cell is reserved for, index + 1; 0: none of this session
	buckets [MaxParts * MaxFrames]uint8 // of each frame, bucket + 1; 0: none
	any     bool                        // there is a COUNT or a RATE
	passing bool                        // a notification: they hold without being asked
}

func (m *meters) count(frame int, c Count) Reason {
	switch {
	case m == nil:
		return ReasonNotEvaluable
	case m.passing:
		return ReasonNone
	case m.guard.cfg.Counters == nil || int(m.cells[c.Cell]) != frame+1:
		return ReasonNotEvaluable
	}
	_, used, ok := m.guard.cfg.Counters.Cell(c.Cell)
	if !ok {
		return ReasonNotEvaluable
	}
	if used >= c.N {
		return ReasonDenied
	}
	return ReasonNone
}

func (m *meters) rate(frame int, r Rate, tick uint32) Reason {
	switch {
	case m == nil:
		return ReasonNotEvaluable
	case m.passing:
		return ReasonNone
	case m.buckets[frame] == 0:
		return ReasonNotEvaluable
	}
	b := &m.guard.buckets.list[m.buckets[frame]-1]
	b.fill(r, tick)
	if b.tokens == 0 {
		return ReasonDenied
	}
	return ReasonNone
}

// take counts a request whose frames all hold, then takes its tokens. False: a count could not be stored, and the request must
// not act.
func (m *meters) take() bool {
	if !m.any {
		return true
	}
	for cell, owner := range m.cells {
		if owner != 0 && m.guard.cfg.Counters.Raise(uint8(cell)) != nil {
			return false
		}
	}
	buckets := m.buckets
	slices.Sort(buckets[:])
	for _, b := range buckets {
		if b != 0 {
			m.guard.buckets.list[b-1].tokens--
			m.guard.buckets.touch(b - 1)
		}
	}
	return true
}

// find looks up the cells and buckets of a session that opens: for each frame that of its COUNT, then that of its RATE.
func (m *meters) find(parts []part, chains *[MaxParts]chain, tick uint32) {
	g := m.guard
	for i := range parts {
		for k, f := range parts[i].frames[:parts[i].nframes] {
			l := f.once()
			if !l.hasCount && !l.hasRate {
				continue
			}
			m.any = true
			index, id := frameIndex(i, k), Identity(chains[i].keys[k+1][:])
			if l.hasCount && g.cfg.Counters != nil {
				if reserved, _, ok := g.cfg.Counters.Cell(l.count.Cell); ok && reserved == id && id != (Identity{}) {
					m.cells[l.count.Cell] = uint8(index + 1)
				}
			}
			if l.hasRate {
				if b, ok := g.buckets.find(id, tick, g.usesBucket); ok {
					m.buckets[index] = b + 1
				}
			}
		}
	}
}

// usesBucket reports whether an open session needs the bucket.
func (g *Guard) usesBucket(bucket uint8) bool {
	for i := range g.slots {
		if !g.slots[i].inUse {
			continue
		}
		for _, b := range g.slots[i].meters.buckets {
			if b == bucket+1 {
				return true
			}
		}
	}
	return false
}

// onceLimits are the limits of a frame that a session needs keys for when it opens: of each type the first before the grants.
type onceLimits struct {
	hasCount, hasRate, hasThirdParty bool

	count      Count
	thirdParty ThirdParty
}

func (f Frame) once() (l onceLimits) {
	for len(f) > 0 && len(f) <= maxFrame {
		t, value, rest, err := cutConstraint(f)
		if err != nil || t == TypeGrant || t == TypeGrantPrefix {
			break
		}
		f = rest
		switch t {
		case TypeCount:
			if c, err := parseCount(value); err == nil && !l.hasCount {
				l.hasCount, l.count = true, c
			}
		case TypeRate:
			if _, err := parseRate(value); err == nil {
				l.hasRate = true
			}
		case TypeThirdParty:
			if p, err := parseThirdParty(value); err == nil && !l.hasThirdParty {
				l.hasThirdParty, l.thirdParty = true, p
			}
		}
	}
	return l
}
