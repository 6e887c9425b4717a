package capability

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// ConstraintType is the type of a constraint in a frame; docs/spec/capability.md, Frames.
type ConstraintType uint8

// The constraint types that this version knows; 17 to 31 deny as unknown.
const (
	typeInvalid     ConstraintType = 0
	TypeGrant       ConstraintType = 1
	TypeGrantPrefix ConstraintType = 2
	TypeBound       ConstraintType = 3
	TypeSequence    ConstraintType = 4
	TypeExpiry      ConstraintType = 5
	TypeNotBefore   ConstraintType = 6
	TypeLease       ConstraintType = 7
	TypeHold        ConstraintType = 8
	TypeSalt        ConstraintType = 9
	TypeCount       ConstraintType = 10
	TypeRate        ConstraintType = 11
	TypeAudience    ConstraintType = 12
	TypeDepth       ConstraintType = 13
	TypeThirdParty  ConstraintType = 14
	TypeProgram     ConstraintType = 15
	TypeAlso        ConstraintType = 16

	lastKnownType = TypeAlso
	maxType       = 31
)

func (t ConstraintType) String() string {
	names := [...]string{
		"invalid", "grant", "grant prefix", "bound", "sequence", "expiry", "not before", "lease", "hold", "salt",
		"count", "rate", "audience", "depth", "third party", "program", "also",
	}
	if int(t) < len(names) {
		return names[t]
	}
	return fmt.Sprintf("constraint %d", uint8(t))
}

// once reports whether a frame may have the type only once, and a discharge not at all.
func (t ConstraintType) once() bool { return t == TypeCount || t == TypeRate || t == TypeThirdParty }

// Operations is a set of what a request may do.
type Operations uint8

// The operations of the specification; a request is exactly one of them.
const (
	Read    Operations = 1  // GET of a log
	Observe Operations = 2  // GET of a log with Observe
	Append  Operations = 4  // POST to a log
	Call    Operations = 8  // POST to a function
	Manage  Operations = 16 // generations and epochs; the empty name
	Time    Operations = 32 // POST to /t; the empty name

	reservedOperations Operations = 0xc0
	actingOperations              = Append | Call | Manage | Time // these must be fresh
)

func (o Operations) String() string {
	var words []string
	for i, w := range [...]string{"read", "observe", "append", "call", "manage", "time"} {
		if o&(1<<i) != 0 {
			words = append(words, w)
		}
	}
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, "+")
}

var errConstraint = errors.New("constraint is malformed")

// cutConstraint takes the first constraint off a frame that is not empty:
//
//	type << 3 | n     n = 0..6: that many bytes follow; n = 7: u8 length (7 or more), then the bytes
//
// The type is given even where the rest is malformed: it is told in the denial.
func cutConstraint(f Frame) (t ConstraintType, value []byte, rest Frame, err error) {
	t = ConstraintType(f[0] >> 3)
	n := int(f[0] & 7)
	f = f[1:]
	if n == 7 {
		if len(f) == 0 || f[0] < 7 {
			return t, nil, nil, errConstraint
		}
		n = int(f[0])
		f = f[1:]
	}
	if n > len(f) {
		return t, nil, nil, errConstraint
	}
	return t, f[:n], f[n:], nil
}

func appendConstraint(dst []byte, t ConstraintType, value []byte) []byte {
	if len(value) < 7 {
		dst = append(dst, byte(t)<<3|byte(len(value)))
	} else {
		dst = append(dst, byte(t)<<3|7, byte(len(value)))
	}
	return append(dst, value...)
}

// Bound limits a number in the payload of APPEND and CALL.
type Bound struct {
	Offset       uint8 // of its first byte in the payload
	Width        uint8 // 1, 2 or 4 bytes
	Signed       bool
	LittleEndian bool  // the field in the payload; the bounds themselves are big-endian
	Min, Max     int64 // within what the field can hold
}

const (
	boundWidthMask    = 3
	boundSigned       = 4
	boundLittleEndian = 8
	boundReserved     = 0xf0
)

// parseBound reads offset u8 | format u8 | min | max.
func parseBound(v []byte) (Bound, error) {
	if len(v) < 2 || v[1]&boundReserved != 0 || v[1]&boundWidthMask == 3 {
		return Bound{}, errConstraint
	}
	b := Bound{
		Offset: v[0], Width: 1 << (v[1] & boundWidthMask),
		Signed: v[1]&boundSigned != 0, LittleEndian: v[1]&boundLittleEndian != 0,
	}
	w := int(b.Width)
	if len(v) != 2+2*w {
		return Bound{}, errConstraint
	}
	b.Min = number(v[2:2+w], b.Signed, false)
	b.Max = number(v[2+w:], b.Signed, false)
	if b.Min > b.Max {
		return Bound{}, errConstraint
	}
	return b, nil
}

// number reads an integer of 1, 2 or 4 bytes.
func number(v []byte, signed, littleEndian bool) int64 {
	var n uint64
	for i := range v {
		if littleEndian {
			n |= uint64(v[i]) << (8 * i)
		} else {
			n = n<<8 | uint64(v[i])
		}
	}
	if bits := 8 * len(v); signed && n>>(bits-1) != 0 {
		return int64(n) - int64(1)<<bits
	}
	return int64(n)
}

func (b Bound) widthCode() (byte, bool) {
	switch b.Width {
	case 1:
		return 0, true
	case 2:
		return 1, true
	case 4:
		return 2, true
	}
	return 0, false
}

// limits returns the smallest and the largest value of the field.
func (b Bound) limits() (lowest, highest int64) {
	bits := 8 * int(b.Width)
	if b.Signed {
		return -(int64(1) << (bits - 1)), int64(1)<<(bits-1) - 1
	}
	return 0, int64(1)<<bits - 1
}

// Check reports whether a field of b's width can hold both bounds, and whether they are in order.
func (b Bound) Check() error {
	_, err := b.encode()
	return err
}

func (b Bound) encode() ([]byte, error) {
	format, ok := b.widthCode()
	if !ok {
		return nil, fmt.Errorf("a bound is 1, 2 or 4 bytes wide, not %d", b.Width)
	}
	lowest, highest := b.limits()
	if b.Min > b.Max || b.Min < lowest || b.Max > highest {
		return nil, fmt.Errorf("bound %d..%d does not lie in %d..%d in this order", b.Min, b.Max, lowest, highest)
	}
	if b.Signed {
		format |= boundSigned
	}
	if b.LittleEndian {
		format |= boundLittleEndian
	}
	v := []byte{b.Offset, format}
	for _, n := range [...]int64{b.Min, b.Max} {
		for i := int(b.Width) - 1; i >= 0; i-- {
			v = append(v, byte(uint64(n)>>(8*i)))
		}
	}
	return v, nil
}

// field reads the bounded number out of a payload.
func (b Bound) field(payload []byte) (int64, bool) {
	end := int(b.Offset) + int(b.Width)
	if end > len(payload) {
		return 0, false
	}
	return number(payload[b.Offset:end], b.Signed, b.LittleEndian), true
}

func (b Bound) holds(payload []byte) bool {
	n, ok := b.field(payload)
	return ok && n >= b.Min && n <= b.Max
}

// Sequence is a range of log entries, both ends included.
type Sequence struct{ From, To uint32 }

func parseSequence(v []byte) (Sequence, error) {
	if len(v) != 8 {
		return Sequence{}, errConstraint
	}
	s := Sequence{binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])}
	if s.From > s.To {
		return Sequence{}, errConstraint
	}
	return s, nil
}

// Lease is a point on the device's own timer: it ends there, and at a reboot. Tick counts 100 ms from boot.
type Lease struct{ Boot, Tick uint32 }

func pair(a, b uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, a), b)
}
