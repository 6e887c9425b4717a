package capability

import "math"

// Now is what a verifier knows of the time.
type Now struct {
	Tick uint32 // 100 ms since boot
	Unix uint32 // seconds; 0: the clock is unknown
}

// Situation is everything that frames are judged by.
type Situation struct {
	Target
	Payload []byte
	Hold    uint8 // of the request, in 100 ms
	Boot    uint32
	Now     Now
}

// Evaluate judges the frames in order; every one must admit. See docs/spec/capability.md, Frames.
func Evaluate(frames []Frame, s *Situation) Denial {
	for i, f := range frames {
		if t, r := f.evaluate(s); r != ReasonNone {
			return Denial{Reason: r, Frame: i + 1, Constraint: t}
		}
	}
	return Denial{}
}

// evaluate is one pass over the frame. The first constraint that is malformed, unknown, or a limit that does not
// hold decides; the grants decide at the end.
func (f Frame) evaluate(s *Situation) (ConstraintType, Reason) {
	if len(f) > MaxFrame {
		return TypeInvalid, ReasonDenied
	}
	inGrants := false // a grant has come
	matches := false  // the grant we are in has this operation and name
	holds := false    // and every part of it so far holds
	admitted := false // a grant before it admits
	failed := TypeGrant
	for len(f) > 0 {
		t, value, rest, err := cutConstraint(f)
		if err != nil {
			return t, ReasonDenied
		}
		f = rest
		switch {
		case t == TypeGrant || t == TypeGrantPrefix:
			ops, name, err := parseGrant(value)
			if err != nil {
				return t, ReasonDenied
			}
			admitted = admitted || (matches && holds)
			inGrants, holds = true, true
			matches = ops&s.Operation != 0 && s.named(name, t == TypeGrantPrefix)
		case inGrants && t != TypeBound && t != TypeSequence:
			return t, ReasonDenied
		default:
			ok, r := s.limit(t, value)
			if r != ReasonNone && (!inGrants || !ok) {
				return t, r
			}
			if r != ReasonNone && matches {
				holds = false
				failed = t
			}
		}
	}
	if !inGrants || admitted || (matches && holds) {
		return 0, ReasonNone
	}
	return failed, ReasonDenied
}

func (s *Situation) named(name []byte, prefix bool) bool {
	if prefix {
		return len(s.Name) >= len(name) && s.Name[:len(name)] == string(name)
	}
	return s.Name == string(name)
}

// limit judges one constraint that is no grant. formed says whether it is well-formed and known; the reason is
// ReasonNone if it holds.
func (s *Situation) limit(t ConstraintType, v []byte) (formed bool, r Reason) {
	if t > TypeSalt {
		return false, ReasonDenied
	}
	l, err := decodeLimit(t, v)
	if err != nil {
		return false, ReasonDenied
	}
	holds := true
	switch t {
	case TypeBound:
		holds = s.Operation&(Append|Call) != 0 && l.Bound.holds(s.Payload)
	case TypeSequence:
		from, to, named := s.entries()
		holds = named && from >= l.Sequence.From && to <= l.Sequence.To
	case TypeExpiry, TypeNotBefore:
		if s.Now.Unix == 0 {
			return true, ReasonDeniedNoClock
		}
		holds = (s.Now.Unix < l.Unix) == (t == TypeExpiry)
	case TypeLease:
		holds = l.Lease.Boot == s.Boot && s.Now.Tick <= l.Lease.Tick
	case TypeHold:
		holds = s.Hold <= l.Hold
	}
	if !holds {
		return true, ReasonDenied
	}
	return true, ReasonNone
}

// maxCount is what an absent n of a range counts for.
const maxCount = math.MaxUint8

// entries gives the entries that a read names; only a read with s does.
func (s *Situation) entries() (from, to uint32, named bool) {
	if s.Operation&(Read|Observe) == 0 || !s.Query.HasFrom {
		return 0, 0, false
	}
	count := uint32(maxCount)
	if s.Query.HasCount {
		count = uint32(s.Query.Count)
	}
	from = s.Query.From
	if to = from + count - 1; to < from {
		to = math.MaxUint32
	}
	return from, to, true
}
