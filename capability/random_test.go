package capability

import (
	"math/rand/v2"

	"github.com/edgeistry/edgeistry/coap"
)

// random returns inputs that are near the truth: the same every time for a seed.
type random struct{ *rand.Rand }

func newRandom(seed uint64) random { return random{rand.New(rand.NewPCG(seed, 1))} }

// Read lets it stand where bytes from crypto/rand are wanted.
func (r random) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r.Uint32())
	}
	return len(p), nil
}

func (r random) bytes(n int) []byte {
	b := make([]byte, n)
	_, _ = r.Read(b)
	return b
}

func (r random) name() string {
	names := [...]string{"", "t", "temp", "temperature", "valve", "events"}
	return names[r.IntN(len(names))]
}

func (r random) part() Limit {
	if r.IntN(2) == 0 {
		from := r.Uint32N(20)
		return Limit{Type: TypeSequence, Sequence: Sequence{from, from + r.Uint32N(300)}}
	}
	low := int64(r.IntN(128))
	return Limit{Type: TypeBound, Bound: Bound{
		Offset: uint8(r.IntN(3)), Width: 1 << r.IntN(3), Signed: r.IntN(2) == 0, LittleEndian: r.IntN(2) == 0,
		Min: low, Max: min(low+int64(r.IntN(128)), 127),
	}}
}

func (r random) limit() Limit {
	switch r.IntN(14) {
	case 0:
		return Limit{Type: TypeExpiry, Unix: r.Uint32N(200)}
	case 1:
		return Limit{Type: TypeNotBefore, Unix: r.Uint32N(200)}
	case 2:
		return Limit{Type: TypeLease, Lease: Lease{r.Uint32N(2), r.Uint32N(200)}}
	case 3:
		return Limit{Type: TypeHold, Hold: uint8(r.Uint32())}
	case 4:
		return Limit{Type: TypeSalt, Salt: [4]byte(r.bytes(4))}
	case 5:
		return r.part()
	}
	switch r.IntN(8) {
	case 0:
		return Limit{Type: TypeCount, Count: Count{uint8(1 + r.IntN(5)), uint8(r.IntN(MaxCells))}}
	case 1:
		return Limit{Type: TypeRate, Rate: Rate{uint8(1 + r.IntN(3)), uint16(1 + r.IntN(20))}}
	case 2:
		return Limit{Type: TypeAudience, Audience: testPeer()}
	case 3:
		return Limit{Type: TypeDepth, Depth: uint8(r.IntN(4))}
	case 4:
		return Limit{Type: TypeThirdParty, ThirdParty: ThirdParty{GuardNonce: [4]byte{byte(r.IntN(2))}, VID: [keySize]byte(r.bytes(keySize))}}
	case 5:
		return Limit{Type: TypeProgram, Program: r.bytes(2 + r.IntN(9))}
	case 6:
		a := Also{Branch: uint8(3 + r.IntN(2)), HasNonce: r.IntN(3) == 0}
		if a.HasNonce {
			a.Nonce[0] = byte(r.IntN(2))
		}
		return Limit{Type: TypeAlso, Also: a}
	}
	return Limit{Type: ConstraintType(17 + r.IntN(15)), Raw: r.bytes(r.IntN(9))}
}

// spec returns a frame in words that often admits something.
func (r random) spec() FrameSpec {
	var s FrameSpec
	for r.IntN(3) == 0 {
		s.Limits = append(s.Limits, r.limit())
	}
	for r.IntN(2) == 0 {
		g := Grant{Operations: Operations(r.IntN(64)), Name: r.name(), Prefix: r.IntN(2) == 0}
		for r.IntN(3) == 0 {
			g.Parts = append(g.Parts, r.part())
		}
		s.Grants = append(s.Grants, g)
	}
	return s
}

// frame returns bytes: a good frame, a good one with a bit flipped or cut, or junk.
func (r random) frame() Frame {
	f, err := r.spec().Encode()
	if err != nil {
		return Frame(r.bytes(r.IntN(maxFrame + 1)))
	}
	switch r.IntN(4) {
	case 0:
		if len(f) > 0 {
			f[r.IntN(len(f))] ^= 1 << r.IntN(8)
		}
	case 1:
		f = f[:r.IntN(len(f)+1)]
	case 2:
		return Frame(r.bytes(r.IntN(12)))
	}
	return f
}

func (r random) situation() Situation {
	s := Situation{
		Target:  Target{Operation: 1 << r.IntN(6), Name: r.name()},
		Payload: r.bytes(r.IntN(8)),
		Hold:    uint8(r.Uint32()),
		Boot:    r.Uint32N(2),
		Now:     Now{Tick: r.Uint32N(200), Unix: r.Uint32N(200)},
	}
	if r.IntN(2) == 0 {
		s.Query = coap.Query{HasFrom: true, From: 1 + r.Uint32N(20), HasCount: r.IntN(2) == 0, Count: uint8(1 + r.IntN(20))}
	}
	return s
}
