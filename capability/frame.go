package capability

import (
	"encoding/binary"
	"fmt"

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
	Type     ConstraintType
	Bound    Bound    // TypeBound
	Sequence Sequence // TypeSequence
	Unix     uint32   // TypeExpiry: now must be before; TypeNotBefore: now must not be before
	Lease    Lease    // TypeLease
	Hold     uint8    // TypeHold, in 100 ms
	Salt     [4]byte  // TypeSalt
	Raw      []byte   // types that this version does not know; they deny
}

// Grant admits operations on a name, or on every name that starts with it, if all its parts hold.
type Grant struct {
	Operations Operations
	Name       string
	Prefix     bool
	Parts      []Limit // TypeBound and TypeSequence only
}

// Encode gives the one valid form of the frame.
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
	if len(f) > MaxFrame {
		return nil, fmt.Errorf("frame has %d bytes, %d are allowed: ask for fewer things or shorter names", len(f), MaxFrame)
	}
	return f, nil
}

func (l Limit) append(dst []byte) ([]byte, error) {
	var v []byte
	switch l.Type {
	case TypeBound:
		var err error
		if v, err = l.Bound.encode(); err != nil {
			return nil, err
		}
	case TypeSequence:
		if l.Sequence.From > l.Sequence.To {
			return nil, fmt.Errorf("entries %d..%d end before they begin", l.Sequence.From, l.Sequence.To)
		}
		v = pair(l.Sequence.From, l.Sequence.To)
	case TypeExpiry, TypeNotBefore:
		v = binary.BigEndian.AppendUint32(nil, l.Unix)
	case TypeLease:
		v = pair(l.Lease.Boot, l.Lease.Tick)
	case TypeHold:
		v = []byte{l.Hold}
	case TypeSalt:
		v = l.Salt[:]
	case TypeInvalid, TypeGrant, TypeGrantPrefix:
		return nil, fmt.Errorf("%v is no limit", l.Type)
	default:
		if l.Type > maxType || len(l.Raw) > MaxFrame {
			return nil, fmt.Errorf("%v of %d bytes cannot be encoded", l.Type, len(l.Raw))
		}
		v = l.Raw
	}
	return appendConstraint(dst, l.Type, v), nil
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

// DecodeFrame reads a frame. A well-formed limit of a type that this version does not know is kept in Raw, so
// that it can be shown; it denies when it is evaluated.
func DecodeFrame(f Frame) (FrameSpec, error) {
	var s FrameSpec
	if len(f) > MaxFrame {
		return s, fmt.Errorf("frame has %d bytes, %d are allowed", len(f), MaxFrame)
	}
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
	l, err := decodeLimit(t, v)
	if err != nil {
		return err
	}
	if len(s.Grants) == 0 {
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

func decodeLimit(t ConstraintType, v []byte) (Limit, error) {
	l := Limit{Type: t}
	var err error
	switch t {
	case TypeInvalid:
		return l, errConstraint
	case TypeBound:
		l.Bound, err = parseBound(v)
	case TypeSequence:
		l.Sequence, err = parseSequence(v)
	case TypeExpiry, TypeNotBefore:
		if len(v) != 4 {
			return l, errConstraint
		}
		l.Unix = binary.BigEndian.Uint32(v)
	case TypeLease:
		if len(v) != 8 {
			return l, errConstraint
		}
		l.Lease = Lease{binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])}
	case TypeHold:
		if len(v) != 1 {
			return l, errConstraint
		}
		l.Hold = v[0]
	case TypeSalt:
		if len(v) != 4 {
			return l, errConstraint
		}
		l.Salt = [4]byte(v)
	default:
		l.Raw = append([]byte(nil), v...)
	}
	return l, err
}
