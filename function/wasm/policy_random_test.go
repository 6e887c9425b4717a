package wasm

import (
	"math/rand/v2"

	capprogram "github.com/edgeistry/edgeistry/capability/program"
)

// programs returns programs and inputs, the same every time for a seed: by a grammar, for most
// bytes at random are malformed after two or three, and half of them then changed a little.
type programs struct {
	*rand.Rand
	code   []byte
	locals int
	labels []bool // of the blocks around, the function's first: a branch there takes a value
	room   int    // operands and blocks still to spend
}

func newPrograms(seed uint64) *programs {
	return &programs{Rand: rand.New(rand.NewPCG(seed, 2))}
}

func (r *programs) one(of ...byte) byte { return of[r.IntN(len(of))] }

func (r *programs) emit(b ...byte) { r.code = append(r.code, b...) }

func (r *programs) body() []byte {
	r.code, r.locals = []byte{0}, capprogram.Parameters
	if n := r.IntN(12); n > 0 && n <= 8 {
		r.code = []byte{1, byte(n), 0x7f}
		r.locals += n
	}
	r.labels, r.room = []bool{true}, 2+r.IntN(40)
	for r.IntN(3) == 0 {
		r.statement()
	}
	r.value()
	r.emit(0x0b)
	if r.IntN(2) == 0 {
		for range 1 + r.IntN(2) {
			r.mutate()
		}
	}
	return r.code
}

func (r *programs) mutate() {
	if len(r.code) == 0 {
		return
	}
	i := r.IntN(len(r.code))
	switch r.IntN(7) {
	case 0:
		r.code[i] ^= 1 << r.IntN(8)
	case 1:
		r.code[i] = byte(r.Uint32())
	case 2:
		r.code = append(r.code[:i:i], r.code[i+1:]...)
	case 3:
		r.code = append(r.code[:i:i], append([]byte{r.opcode()}, r.code[i:]...)...)
	case 4:
		r.code = r.code[:i]
	case 5:
		r.code[i] = r.opcode()
	case 6: // a longer form of what may be a number
		if r.code[i] < 0x80 {
			longer := []byte{r.code[i] | 0x80}
			for range r.IntN(5) {
				longer = append(longer, 0x80)
			}
			r.code = append(r.code[:i:i], append(append(longer, r.one(0, 0, 0x7f, 0x0f, 0x10, 0x70, 0x07, 0x78)), r.code[i+1:]...)...)
		}
	}
}

func (r *programs) opcode() byte {
	return r.one(0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x0b, 0x0c, 0x0d, 0x0f, 0x1a, 0x1b, 0x20, 0x21, 0x22, 0x28, 0x2c, 0x2d, 0x2e, 0x2f, 0x41,
		0x45, 0x46+byte(r.IntN(10)), 0x67+byte(r.IntN(3)), 0x6a+byte(r.IntN(15)), 0x0e, 0x10, 0x23, 0x36, 0x3f, 0x40, 0x42)
}

func (r *programs) constant() {
	v := []int32{0, 1, 2, 31, 32, 63, 64, -1, -64, -65, 127, 255, 300, 8191, 65504, 65532, 65535, 65536, -1 << 31, 1<<31 - 1}[r.IntN(20)]
	if r.IntN(3) == 0 {
		v = int32(r.Uint32()) >> r.IntN(32)
	}
	r.emit(0x41)
	for v < -0x40 || v > 0x3f {
		r.emit(byte(v)&0x7f | 0x80)
		v >>= 7
	}
	r.emit(byte(v) & 0x7f)
}

// value emits code that leaves one operand, or never ends.
func (r *programs) value() {
	if r.room--; r.room < 0 {
		r.emit(0x41, byte(r.IntN(0x80)))
		return
	}
	switch n := r.IntN(24); {
	case n < 3:
		r.constant()
	case n < 7:
		r.emit(0x20, byte(r.IntN(r.locals)))
	case n < 11:
		r.value()
		r.value()
		r.emit(r.one(0x46+byte(r.IntN(10)), 0x6a+byte(r.IntN(15))))
	case n < 13:
		r.value()
		r.emit(r.one(0x45, 0x67, 0x68, 0x69))
	case n < 15:
		r.load()
	case n == 15:
		r.value()
		r.value()
		r.value()
		r.emit(0x1b)
	case n == 16:
		r.value()
		r.emit(0x22, byte(r.IntN(r.locals)))
	case n < 19 && len(r.labels) < 8:
		r.value()
		r.emit(0x04, 0x7f)
		r.inside(true, true)
		r.emit(0x05)
		r.inside(true, true)
		r.emit(0x0b)
	case n < 21 && len(r.labels) < 8:
		op := r.one(0x02, 0x02, 0x03)
		r.emit(op, 0x7f)
		r.inside(op == 0x02, true)
		r.emit(0x0b)
	case n == 21:
		l := r.IntN(len(r.labels))
		if r.labels[len(r.labels)-1-l] {
			r.value()
			r.value()
			r.emit(0x0d, byte(l))
		} else {
			r.value()
			r.emit(0x0d, byte(l))
			r.value()
		}
	case n == 22:
		r.statement()
		r.value()
	default:
		r.jump()
		if r.IntN(3) == 0 {
			r.emit(r.one(0x1a, 0x6a, 0x45, 0x1b, 0x01)) // what is not reached takes operands that are not there
			if r.IntN(2) == 0 {
				r.emit(0x1a)
			}
		}
	}
}

func (r *programs) load() {
	if r.IntN(3) > 0 {
		r.emit(0x41, byte(r.IntN(0x40)))
	} else {
		r.value()
	}
	op := r.one(0x28, 0x2c, 0x2d, 0x2e, 0x2f)
	r.emit(op, byte(r.IntN(1+map[byte]int{0x28: 2, 0x2e: 1, 0x2f: 1}[op])))
	switch r.IntN(8) {
	case 0:
		r.emit(0xfc+byte(r.IntN(4)), 0xff, 0x03) // 65532..65535
	case 1:
		r.emit(0xff, 0xff, 0xff, 0xff, 0x0f)
	default:
		r.emit(byte(r.IntN(0x50)))
	}
}

// jump emits what never goes on.
func (r *programs) jump() {
	l := r.IntN(len(r.labels))
	switch n := r.IntN(6); {
	case n == 0:
		r.emit(0x00)
	case n == 1:
		r.value()
		r.emit(0x0f)
	default:
		if r.labels[len(r.labels)-1-l] {
			r.value()
		}
		r.emit(0x0c, byte(l))
	}
}

// statement emits code that leaves nothing.
func (r *programs) statement() {
	if r.room--; r.room < 0 {
		r.emit(0x01)
		return
	}
	switch n := r.IntN(9); {
	case n < 3:
		r.value()
		r.emit(0x21, byte(r.IntN(r.locals)))
	case n == 3:
		r.value()
		r.emit(0x1a)
	case n < 6 && len(r.labels) < 8:
		r.value()
		r.emit(0x04, 0x40)
		r.inside(false, false)
		if r.IntN(2) == 0 {
			r.emit(0x05)
			r.inside(false, false)
		}
		r.emit(0x0b)
	case n < 8 && len(r.labels) < 8:
		r.emit(r.one(0x02, 0x03), 0x40)
		r.inside(false, false)
		r.emit(0x0b)
	default:
		r.emit(0x01)
	}
}

func (r *programs) inside(label, result bool) {
	r.labels = append(r.labels, label)
	for r.IntN(3) == 0 {
		r.statement()
	}
	if result {
		r.value()
	} else if r.IntN(3) == 0 {
		r.value()
		r.emit(0x0d, 0)
	}
	r.labels = r.labels[:len(r.labels)-1]
}

func (r *programs) input() capprogram.Input {
	in := capprogram.Input{
		Operation: 1 << r.IntN(6),
		Name:      []string{"", "t", "valve", "temperature", "a-name-of-thirty-one-characters", "a-name-of-thirty-four-characters--"}[r.IntN(6)],
		Payload:   make([]byte, r.IntN(12)),
		Hold:      uint8(r.Uint32()),
		Tick:      r.Uint32() >> r.IntN(32),
		Unix:      r.Uint32() >> r.IntN(32),
	}
	for i := range in.Payload {
		in.Payload[i] = byte(r.Uint32() >> r.IntN(24))
	}
	if r.IntN(2) == 0 {
		in.First = 1 + r.Uint32N(1000)
		in.Last = in.First + r.Uint32N(256)
	}
	return in
}
