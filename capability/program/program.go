package program

import (
	"errors"
	"fmt"
)

// Bounds on a program; docs/spec/program.md.
const (
	Parameters = 9
	Fuel       = 200 // instructions that a run may execute, but end and else
	Memory     = 64 << 10
	NameRoom   = 32 // bytes of the memory for the name, before the payload

	maxBody   = 255
	maxLocals = 8 // besides the parameters
	maxStack  = 16
	maxBlocks = 8 // within each other, the function's own included
)

// Input is everything that a program can know.
type Input struct {
	Operation   uint8 // the one asked for: a bit of capability.Operations
	Name        string
	Payload     []byte
	First, Last uint32 // entries that a read names; 0: none
	Hold        uint8  // as capability.HoldDuration reads it
	Unix, Tick  uint32 // the time: seconds, 0 if the verifier does not know them, and ticks of 100 ms since it started
}

// Parameters returns the parameters of the program's function.
func (in *Input) Parameters() [Parameters]uint32 {
	var argument uint32
	for _, b := range in.Payload[:min(4, len(in.Payload))] {
		argument = argument<<8 | uint32(b)
	}
	return [...]uint32{
		uint32(in.Operation), argument, uint32(len(in.Payload)), uint32(len(in.Name)),
		in.First, in.Last, uint32(in.Hold), in.Unix, in.Tick,
	}
}

// Verdict is what a program says of a request. The zero value denies.
type Verdict uint8

const (
	Fails  Verdict = iota // its result is 0, it trapped, or it had no fuel left
	Holds                 // its result is not 0
	Broken                // Check refuses it
)

// Runner runs a body on an input. It checks the body first, and the same body and input give the same verdict everywhere.
type Runner func(body []byte, in *Input) Verdict

// Opcodes of the WebAssembly core specification 1.0, section 5.4, that the checker tells apart.
const (
	wasmUnreachable = 0x00
	wasmNop         = 0x01
	wasmBlock       = 0x02
	wasmLoop        = 0x03
	wasmIf          = 0x04
	wasmElse        = 0x05
	wasmEnd         = 0x0b
	wasmBr          = 0x0c
	wasmBrIf        = 0x0d
	wasmReturn      = 0x0f
	wasmDrop        = 0x1a
	wasmSelect      = 0x1b
	wasmLocalGet    = 0x20
	wasmLocalSet    = 0x21
	wasmLocalTee    = 0x22
	wasmLoad        = 0x28
	wasmLoad8S      = 0x2c
	wasmLoad8U      = 0x2d
	wasmLoad16S     = 0x2e
	wasmLoad16U     = 0x2f
	wasmConst       = 0x41
	wasmEqz         = 0x45
	wasmGeU         = 0x4f
	wasmClz         = 0x67
	wasmPopcnt      = 0x69
	wasmRotr        = 0x78

	wasmEmpty = 0x40 // type of a block without a result
	wasmI32   = 0x7f
)

// ErrBound is in what Check says of a body that may be valid WebAssembly and has what a program may not have.
var ErrBound = errors.New("out of bounds")

// Check reports why a body is no valid program: the algorithm of the core specification's appendix,
// for one value type, so that heights stand for the operand stack.
func Check(body []byte) error {
	if len(body) > maxBody {
		return fmt.Errorf("program of %d bytes, at most %d: %w", len(body), maxBody, ErrBound)
	}
	c := check{rest: body, locals: Parameters}
	switch groups := c.byte(); {
	case groups == 0 && c.err == nil:
	case groups == 1 && len(body) >= 3 && body[1] >= 1 && body[1] <= maxLocals && body[2] == wasmI32:
		c.rest = body[3:]
		c.locals += uint32(body[1])
	default:
		c.fail(fmt.Errorf("locals are neither 00 nor 01 n 7f with n in 1..%d: %w", maxLocals, ErrBound))
	}
	c.enter(block{hasResult: true})
	for c.err == nil && len(c.blocks) > 0 {
		c.instruction()
	}
	if c.err == nil && len(c.rest) > 0 {
		c.fail(errors.New("bytes behind the end"))
	}
	if c.err != nil {
		return fmt.Errorf("program, byte %d: %w", len(body)-len(c.rest), c.err)
	}
	return nil
}

// check is a check under way. After the first error its other fields mean nothing.
type check struct {
	rest   []byte
	err    error
	locals uint32 // parameters included
	height int    // of the operand stack
	blocks []block
}

type block struct {
	opcode    byte // 0: the function's own, or what follows else
	base      int  // height below its operands
	hasResult bool
	dead      bool // nothing gets here any more: anything may be popped
}

func (c *check) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

func (c *check) byte() byte {
	if len(c.rest) == 0 {
		c.fail(errors.New("it ends too early"))
		return 0
	}
	b := c.rest[0]
	c.rest = c.rest[1:]
	return b
}

// number reads an LEB128 of 32 bits: at most 5 bytes, of which the last has only bits that are used, or, where it is signed,
// repeats the sign in the others. It gives the bits of an unsigned one; those of a signed one decide nothing.
func (c *check) number(signed bool) uint32 {
	var v uint32
	for i := range 5 {
		b := c.byte()
		v |= uint32(b&0x7f) << (7 * i)
		if b >= 0x80 {
			continue
		}
		unused := b & 0x70
		if signed {
			unused = b & 0x78
		}
		if i < 4 || unused == 0 || signed && unused == 0x78 {
			return v
		}
	}
	c.fail(errors.New("malformed number"))
	return 0
}

func (c *check) top() *block { return &c.blocks[len(c.blocks)-1] }

func (c *check) pop(n int) {
	for range n {
		switch {
		case c.height > c.top().base:
			c.height--
		case !c.top().dead:
			c.fail(errors.New("operand missing"))
		}
	}
}

func (c *check) push(n int) {
	if c.height += n; c.height > maxStack {
		c.fail(fmt.Errorf("more than %d operands: %w", maxStack, ErrBound))
	}
}

func (c *check) dead() {
	c.height = c.top().base
	c.top().dead = true
}

func (c *check) enter(b block) {
	if b.base = c.height; len(c.blocks) == maxBlocks {
		c.fail(fmt.Errorf("more than %d blocks within each other: %w", maxBlocks, ErrBound))
		return
	}
	c.blocks = append(c.blocks, b)
}

// leave ends the innermost block, which must leave its result and nothing else.
func (c *check) leave() block {
	b := *c.top()
	c.pop(results(b.hasResult))
	if c.height != b.base {
		c.fail(errors.New("operands are left over at the end of a block"))
	}
	c.blocks = c.blocks[:len(c.blocks)-1]
	return b
}

func results(has bool) int {
	if has {
		return 1
	}
	return 0
}

func (c *check) instruction() {
	op := c.byte()
	switch op {
	case wasmUnreachable:
		c.dead()
	case wasmNop:
	case wasmBlock, wasmLoop, wasmIf:
		t := c.byte()
		if t != wasmEmpty && t != wasmI32 {
			c.fail(fmt.Errorf("block of type %#x: %w", t, ErrBound))
		}
		if op == wasmIf {
			c.pop(1)
		}
		c.enter(block{opcode: op, hasResult: t == wasmI32})
	case wasmElse:
		b := c.leave()
		if b.opcode != wasmIf {
			c.fail(errors.New("else without if"))
		}
		c.enter(block{hasResult: b.hasResult})
	case wasmEnd:
		b := c.leave()
		if b.opcode == wasmIf && b.hasResult {
			c.fail(errors.New("if with a result and without else"))
		}
		c.push(results(b.hasResult))
	case wasmBr, wasmBrIf:
		c.branch(op)
	case wasmReturn:
		c.pop(1)
		c.dead()
	case wasmDrop:
		c.pop(1)
	case wasmSelect:
		c.pop(3)
		c.push(1)
	case wasmLocalGet, wasmLocalSet, wasmLocalTee:
		if c.number(false) >= c.locals {
			c.fail(errors.New("unknown local"))
		}
		if op != wasmLocalGet {
			c.pop(1)
		}
		if op != wasmLocalSet {
			c.push(1)
		}
	case wasmLoad, wasmLoad8S, wasmLoad8U, wasmLoad16S, wasmLoad16U:
		c.load(op)
	case wasmConst:
		c.number(true)
		c.push(1)
	default:
		c.numeric(op)
	}
}

func (c *check) branch(op byte) {
	label := c.number(false)
	if label >= uint32(len(c.blocks)) {
		c.fail(errors.New("branch to an unknown label"))
		return
	}
	to := c.blocks[len(c.blocks)-1-int(label)]
	n := results(to.hasResult && to.opcode != wasmLoop) // a branch to a loop goes to its start, with nothing
	if op == wasmBrIf {
		c.pop(1)
	}
	c.pop(n)
	if op == wasmBrIf {
		c.push(n)
	} else {
		c.dead()
	}
}

func (c *check) load(op byte) {
	natural := uint32(0)
	switch op {
	case wasmLoad:
		natural = 2
	case wasmLoad16S, wasmLoad16U:
		natural = 1
	}
	if c.number(false) > natural {
		c.fail(errors.New("alignment larger than what is loaded"))
	}
	c.number(false)
	c.pop(1)
	c.push(1)
}

func (c *check) numeric(op byte) {
	switch {
	case op == wasmEqz, op >= wasmClz && op <= wasmPopcnt:
		c.pop(1)
	case op > wasmEqz && op <= wasmGeU, op > wasmPopcnt && op <= wasmRotr:
		c.pop(2)
	default:
		c.fail(fmt.Errorf("opcode %#x: %w", op, ErrBound))
	}
	c.push(1)
}
