package capability

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/edgeistry/edgeistry"
)

// Frame is one step of narrowing in its encoded form, 0 to 48 bytes. The empty frame admits everything.
type Frame []byte

// FrameSpec is a frame in words: every limit must hold, and if there are grants one of them must admit.
type FrameSpec struct {
	Limits []Limit
	Grants []Grant
}

// Limit is one constraint that is no grant. Type says which of the other fields counts.
type Limit struct {
	Type       ConstraintType
	Bound      Bound             // TypeBound
	Sequence   Sequence          // TypeSequence
	Unix       uint32            // TypeExpiry: now must be before; TypeNotBefore: now must not be before
	Lease      Lease             // TypeLease
	Hold       uint8             // TypeHold, as HoldDuration reads it
	Salt       [4]byte           // TypeSalt
	Count      Count             // TypeCount
	Rate       Rate              // TypeRate
	Audience   edgeistry.PeerKey // TypeAudience
	Depth      uint8             // TypeDepth: at most so many frames follow this one
	ThirdParty ThirdParty        // TypeThirdParty
	Program    []byte            // TypeProgram: the body of a WebAssembly function
	Also       Also              // TypeAlso
	Raw        []byte            // types that this version does not know; they deny
}

// A program's length; what else makes one valid is docs/spec/program.md.
const (
	shortestProgram = 2
	longestProgram  = 46
)

func (s FrameSpec) has(t ConstraintType) bool { return hasType(s.Limits, t) }

func (g Grant) has(t ConstraintType) bool { return hasType(g.Parts, t) }

func hasType(limits []Limit, t ConstraintType) bool {
	return slices.ContainsFunc(limits, func(l Limit) bool { return l.Type == t })
}

// Grant admits operations on a name, or on every name that starts with it, if all its parts hold.
type Grant struct {
	Operations Operations
	Name       string
	Prefix     bool
	Parts      []Limit // TypeBound and TypeSequence only
}

// Encode returns the one valid form of the frame.
func (s FrameSpec) Encode() (Frame, error) {
	f := Frame{}
	var err error
	for _, l := range s.Limits {
		if f, err = l.append(f); err != nil {
			return nil, err
		}
	}
	for _, g := range s.Grants {
		if f, err = g.append(f); err != nil {
			return nil, err
		}
	}
	if len(f) > maxFrame {
		return nil, fmt.Errorf("frame has %d bytes, %d are allowed: ask for fewer things or shorter names", len(f), maxFrame)
	}
	return f, nil
}

func (l Limit) append(dst []byte) ([]byte, error) {
	v, err := l.encode()
	if err != nil {
		return nil, err
	}
	return appendConstraint(dst, l.Type, v), nil
}

// encode returns the value of the constraint.
func (l Limit) encode() ([]byte, error) {
	switch l.Type {
	case TypeBound:
		return l.Bound.encode()
	case TypeSequence:
		if l.Sequence.From > l.Sequence.To {
			return nil, fmt.Errorf("entries %d..%d end before they begin", l.Sequence.From, l.Sequence.To)
		}
		return pair(l.Sequence.From, l.Sequence.To), nil
	case TypeExpiry, TypeNotBefore:
		return binary.BigEndian.AppendUint32(nil, l.Unix), nil
	case TypeLease:
		return pair(l.Lease.Boot, l.Lease.Tick), nil
	case TypeHold:
		return []byte{l.Hold}, nil
	case TypeSalt:
		return l.Salt[:], nil
	case TypeCount:
		return []byte{l.Count.N, l.Count.Cell}, l.Count.check()
	case TypeRate:
		return binary.BigEndian.AppendUint16([]byte{l.Rate.Burst}, l.Rate.Period), l.Rate.check()
	case TypeAudience:
		return l.Audience[:], nil
	case TypeDepth:
		return []byte{l.Depth}, nil
	case TypeThirdParty:
		return l.ThirdParty.encode(), nil
	case TypeProgram:
		if len(l.Program) < shortestProgram || len(l.Program) > longestProgram {
			return nil, fmt.Errorf("a program of %d bytes; it has %d to %d", len(l.Program), shortestProgram, longestProgram)
		}
		return l.Program, nil
	case TypeAlso:
		return l.Also.encode(), l.Also.Check()
	case typeInvalid, TypeGrant, TypeGrantPrefix:
		return nil, fmt.Errorf("%v is no limit", l.Type)
	}
	if l.Type > maxType || len(l.Raw) > maxFrame {
		return nil, fmt.Errorf("%v of %d bytes cannot be encoded", l.Type, len(l.Raw))
	}
	return l.Raw, nil
}

func (g Grant) append(dst []byte) ([]byte, error) {
	if g.Operations&reservedOperations != 0 {
		return nil, fmt.Errorf("operations %#02x have reserved bits", uint8(g.Operations))
	}
	if len(g.Name) > edgeistry.MaxName {
		return nil, fmt.Errorf("name %.40q is longer than %d bytes", g.Name, edgeistry.MaxName)
	}
	t := TypeGrant
	if g.Prefix {
		t = TypeGrantPrefix
	}
	dst = appendConstraint(dst, t, append([]byte{byte(g.Operations)}, g.Name...))
	for _, p := range g.Parts {
		if p.Type != TypeBound && p.Type != TypeSequence {
			return nil, fmt.Errorf("%v cannot narrow a grant", p.Type)
		}
		var err error
		if dst, err = p.append(dst); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// Decode reads a frame. A well-formed limit of a type that this version does not know is kept in Raw, so
// that it can be shown; it denies when it is evaluated.
func (f Frame) Decode() (FrameSpec, error) {
	var s FrameSpec
	if len(f) > maxFrame {
		return s, fmt.Errorf("frame has %d bytes, %d are allowed", len(f), maxFrame)
	}
	f = slices.Clone(f) // the limits share its memory
	for position := 0; len(f) > 0; {
		t, value, rest, err := cutConstraint(f)
		if err == nil {
			err = s.add(t, value)
		}
		if err != nil {
			return FrameSpec{}, fmt.Errorf("%v at byte %d: %w", t, position, err)
		}
		position += len(f) - len(rest)
		f = rest
	}
	return s, nil
}

// add takes one constraint into the frame: grants open, their parts join the last grant, limits come before.
func (s *FrameSpec) add(t ConstraintType, v []byte) error {
	if t == TypeGrant || t == TypeGrantPrefix {
		ops, name, err := parseGrant(v)
		if err != nil {
			return err
		}
		s.Grants = append(s.Grants, Grant{Operations: ops, Name: string(name), Prefix: t == TypeGrantPrefix})
		return nil
	}
	var l Limit
	if err := l.decode(t, v); err != nil {
		return err
	}
	if len(s.Grants) == 0 {
		if t.once() && s.has(t) {
			return fmt.Errorf("comes a second time: %w", errConstraint)
		}
		s.Limits = append(s.Limits, l)
		return nil
	}
	if t != TypeBound && t != TypeSequence {
		return fmt.Errorf("stands after a grant: %w", errConstraint)
	}
	last := &s.Grants[len(s.Grants)-1]
	last.Parts = append(last.Parts, l)
	return nil
}

// parseGrant reads ops u8 | name (0..31 bytes).
func parseGrant(v []byte) (Operations, []byte, error) {
	if len(v) < 1 || len(v) > 1+edgeistry.MaxName || Operations(v[0])&reservedOperations != 0 {
		return 0, nil, errConstraint
	}
	return Operations(v[0]), v[1:], nil
}

// decode reads a limit into l, which is zero; it may share v's memory.
func (l *Limit) decode(t ConstraintType, v []byte) (err error) {
	l.Type = t
	switch t {
	case typeInvalid:
		return errConstraint
	case TypeBound:
		l.Bound, err = parseBound(v)
	case TypeSequence:
		l.Sequence, err = parseSequence(v)
	case TypeExpiry, TypeNotBefore:
		if len(v) != 4 {
			return errConstraint
		}
		l.Unix = binary.BigEndian.Uint32(v)
	case TypeLease:
		if len(v) != 8 {
			return errConstraint
		}
		l.Lease = Lease{binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])}
	case TypeHold:
		l.Hold, err = parseByte(v)
	case TypeSalt:
		if len(v) != 4 {
			return errConstraint
		}
		l.Salt = [4]byte(v)
	case TypeCount:
		l.Count, err = parseCount(v)
	case TypeRate:
		l.Rate, err = parseRate(v)
	case TypeAudience:
		if len(v) != len(l.Audience) {
			return errConstraint
		}
		l.Audience = edgeistry.PeerKey(v)
	case TypeDepth:
		l.Depth, err = parseByte(v)
	case TypeThirdParty:
		l.ThirdParty, err = parseThirdParty(v)
	case TypeProgram:
		if len(v) < shortestProgram || len(v) > longestProgram {
			return errConstraint
		}
		l.Program = v
	case TypeAlso:
		l.Also, err = parseAlso(v)
	default:
		l.Raw = v
	}
	return err
}

func parseByte(v []byte) (uint8, error) {
	if len(v) != 1 {
		return 0, errConstraint
	}
	return v[0], nil
}
