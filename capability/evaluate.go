package capability

import (
	"math"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability/program"
	"github.com/edgeistry/edgeistry/coap"
)

// Now is what a verifier knows of the time.
type Now struct {
	Tick uint32 // 100 ms since boot
	Unix uint32 // seconds; 0: the clock is unknown
}

// elapsed returns the ticks from then to now: none where now is before then. Of two requests the
// one that looked at the clock first may reach the guard second, and for it no time has passed
// since the other, not almost 2^32 ticks.
func elapsed(then, now uint32) uint32 {
	if ticks := now - then; ticks <= math.MaxInt32 {
		return ticks
	}
	return 0
}

// Situation is everything that frames are judged by.
type Situation struct {
	Target
	Payload []byte
	Hold    uint8 // of the request, as HoldDuration reads it
	Boot    uint32
	Now     Now
	Peer    edgeistry.PeerKey // who asks; zero: not known
	Program program.Runner    // nil: programs cannot be evaluated

	meters *meters // counts and rates of the session; nil: they cannot be evaluated
}

// judge is one pass in order: the parts; in each its frames, then its discharges.
func (s *Situation) judge(parts []part) Denial {
	j := judgement{Situation: s, parts: parts}
	for i := range parts {
		p := &parts[i]
		for k, f := range p.frames[:p.nframes] {
			j.part, j.frame, j.discharge = i, k, false
			if t, r := j.evaluate(f); r != ReasonNone {
				return Denial{Reason: r, Frame: partStep*i + k + 1, Constraint: t}
			}
		}
		for k := range p.discharges {
			if p.discharges[k].binding == nil {
				continue
			}
			j.part, j.frame, j.discharge = i, k, true
			if t, r := j.evaluate(p.discharges[k].frame); r != ReasonNone {
				return Denial{Reason: r, Frame: partStep*i + dischargeStep + k + 1, Constraint: t}
			}
		}
	}
	return Denial{}
}

// judgement is that of one frame, or of one discharge, at a time.
type judgement struct {
	*Situation
	parts       []part
	part, frame int  // its place, from 0
	discharge   bool // it is that of the frame

	seen uint32 // types that have come in it: bit t
}

// evaluate is one pass over the frame. The first constraint that is malformed, unknown, or a limit that does not
// hold decides; the grants decide at the end.
func (j *judgement) evaluate(f Frame) (ConstraintType, Reason) {
	if len(f) > maxFrame {
		return typeInvalid, ReasonDenied
	}
	j.seen = 0
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
			matches = ops&j.Operation != 0 && j.named(name, t == TypeGrantPrefix)
		case inGrants && t != TypeBound && t != TypeSequence:
			return t, ReasonDenied
		default:
			ok, r := j.limit(t, value)
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

// limit judges one constraint that is no grant. formed reports whether it is well-formed and known;
// the reason is ReasonNone if it holds.
func (j *judgement) limit(t ConstraintType, v []byte) (formed bool, r Reason) {
	if t > lastKnownType {
		return false, ReasonDenied
	}
	if t.once() && (j.discharge || j.seen&(1<<t) != 0) {
		return false, ReasonDenied
	}
	j.seen |= 1 << t
	var l Limit
	if err := l.decode(t, v); err != nil {
		return false, ReasonDenied
	}
	holds := true
	switch t {
	case TypeBound:
		holds = j.Operation&(Append|Call) != 0 && l.Bound.holds(j.Payload)
	case TypeSequence:
		from, to, named := j.entries()
		holds = named && from >= l.Sequence.From && to <= l.Sequence.To
	case TypeExpiry, TypeNotBefore:
		if j.Now.Unix == 0 {
			return true, ReasonNotEvaluable
		}
		holds = (j.Now.Unix < l.Unix) == (t == TypeExpiry)
	case TypeLease:
		holds = l.Lease.Boot == j.Boot && j.Now.Tick <= l.Lease.Tick
	case TypeHold:
		holds = j.Hold <= l.Hold // the byte grows with the time it stands for
	case TypeCount:
		return true, j.meters.count(frameIndex(j.part, j.frame), l.Count)
	case TypeRate:
		return true, j.meters.rate(frameIndex(j.part, j.frame), l.Rate, j.Now.Tick)
	case TypeAudience:
		if j.Peer == (edgeistry.PeerKey{}) {
			return true, ReasonNotEvaluable
		}
		holds = j.Peer == l.Audience
	case TypeDepth: // nothing follows a discharge
		holds = j.discharge || j.parts[j.part].nframes-1-j.frame <= int(l.Depth)
	case TypeThirdParty:
		holds = j.parts[j.part].discharges[j.frame].binding != nil
	case TypeProgram:
		if j.Program == nil {
			return true, ReasonNotEvaluable
		}
		verdict := j.Program(l.Program, j.programInput())
		if verdict == program.Broken {
			return false, ReasonDenied
		}
		holds = verdict == program.Holds
	case TypeAlso:
		holds = l.Also.among(j.parts, j.part)
	}
	if !holds {
		return true, ReasonDenied
	}
	return true, ReasonNone
}

func (s *Situation) programInput() *program.Input {
	first, last, _ := s.entries()
	return &program.Input{
		Operation: uint8(s.Operation), Name: s.Name, Payload: s.Payload, First: first, Last: last, Hold: s.Hold,
		Unix: s.Now.Unix, Tick: s.Now.Tick,
	}
}

// entries returns the entries that a read names; only a read with s does.
func (s *Situation) entries() (from, to uint32, named bool) {
	if s.Operation&(Read|Observe) == 0 || !s.Query.HasFrom {
		return 0, 0, false
	}
	count := uint32(coap.MaxCount)
	if s.Query.HasCount {
		count = uint32(s.Query.Count)
	}
	from = s.Query.From
	if to = from + count - 1; to < from {
		to = math.MaxUint32
	}
	return from, to, true
}
