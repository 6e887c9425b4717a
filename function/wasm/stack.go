package wasm

import (
	"fmt"
	"slices"
)

// The engine bounds the depth of calls, not the bytes of a frame, and a frame may be large. So the
// deepest stack is computed before a module runs: each function's frame by walking its code once,
// then the longest way through the calls, or, where calls can recurse, the engine's depth times the
// largest frame. On top of it comes the goroutine's own stack: measured, at most 16 MiB at the
// engine's full depth.

const (
	engineDepth   = 2000 // wazero's interpreter traps at this depth
	slotBytes     = 8
	frameOverhead = 8 // slots: what the engine keeps of a call on the heap
)

// stackBytes returns an upper bound of the stack that any call into m can need.
func (m *module) stackBytes() (int, error) {
	frames := make([]int, len(m.bodies))
	calls := make([][]uint32, len(m.bodies))
	largest := 0
	for i := range m.bodies {
		w := walker{m: m, r: reader{b: m.bodies[i].code}, function: i}
		if err := w.walk(); err != nil {
			return 0, err
		}
		frames[i] = frameOverhead + m.bodies[i].count + w.highest
		calls[i] = w.calls
		largest = max(largest, frames[i])
	}
	deepest := 0
	ways := make([]int, len(frames)) // 0 unknown, -1 on the way, else slots
	for i := range frames {
		way := longest(i, frames, calls, ways)
		if way < 0 {
			return engineDepth * largest * slotBytes, nil
		}
		deepest = max(deepest, way)
	}
	return min(deepest, engineDepth*largest) * slotBytes, nil
}

// longest returns the slots of the longest chain of calls from f, or -1 if there is a cycle. Its
// depth is at most the number of functions.
func longest(f int, frames []int, calls [][]uint32, ways []int) int {
	if ways[f] != 0 {
		return ways[f]
	}
	ways[f] = -1
	below := 0
	for _, g := range calls[f] {
		way := longest(int(g), frames, calls, ways)
		if way < 0 {
			return -1
		}
		below = max(below, way)
	}
	ways[f] = frames[f] + below
	return ways[f]
}

// walker follows one function's operand stack. On code that does not validate its figures mean
// nothing, but it ends.
type walker struct {
	m        *module
	r        reader
	function int
	blocks   []block
	height   int
	highest  int
	calls    []uint32
}

type block struct {
	base, results int
}

func (w *walker) pop(n int) {
	base := 0
	if len(w.blocks) > 0 {
		base = w.blocks[len(w.blocks)-1].base
	}
	w.height = max(base, w.height-n) // below the base: unreachable code, where anything may be popped
}

func (w *walker) push(n int) {
	w.height += n
	w.highest = max(w.highest, w.height)
}

func (w *walker) effect(pops, pushes int) {
	w.pop(pops)
	w.push(pushes)
}

// dead is called after an instruction that never goes on to the next.
func (w *walker) dead() { w.pop(w.height) }

func (w *walker) walk() error {
	w.blocks = []block{{0, w.m.types[w.m.funcs[w.function]].results}}
	for w.r.more() && len(w.blocks) > 0 {
		if err := w.instruction(w.r.byte()); err != nil {
			return fmt.Errorf("function %d: %w", w.function, err)
		}
	}
	if w.r.err != nil || len(w.blocks) > 0 || len(w.r.b) > 0 {
		return fmt.Errorf("function %d: %w", w.function, errTruncated)
	}
	return nil
}

func (w *walker) instruction(op byte) error {
	switch {
	case op == 0x00: // unreachable
		w.dead()
	case op == 0x01: // nop
	case op == 0x02, op == 0x03, op == 0x04: // block, loop, if
		return w.enter(op)
	case op == 0x05: // else
		w.height = w.blocks[len(w.blocks)-1].base
	case op == 0x0b: // end
		b := w.blocks[len(w.blocks)-1]
		w.blocks = w.blocks[:len(w.blocks)-1]
		w.height = b.base
		w.push(b.results)
	case op == 0x0c: // br
		w.r.u32()
		w.dead()
	case op == 0x0d: // br_if
		w.r.u32()
		w.pop(1)
	case op == 0x0e: // br_table
		for range w.r.u32() {
			w.r.u32()
			if w.r.err != nil {
				break
			}
		}
		w.r.u32()
		w.dead()
	case op == 0x0f: // return
		w.dead()
	case op == 0x10, op == 0x11: // call, call_indirect
		return w.call(op)
	case op == 0x1a: // drop
		w.pop(1)
	case op == 0x1b: // select
		w.effect(3, 1)
	case op == 0x20, op == 0x23: // local.get, global.get
		w.r.u32()
		w.push(1)
	case op == 0x21, op == 0x24: // local.set, global.set
		w.r.u32()
		w.pop(1)
	case op == 0x22: // local.tee
		w.r.u32()
	case op >= 0x28 && op <= 0x35: // loads
		w.r.u32()
		w.r.u32()
		w.effect(1, 1)
	case op >= 0x36 && op <= 0x3e: // stores
		w.r.u32()
		w.r.u32()
		w.pop(2)
	case op == 0x3f: // memory.size
		w.r.byte()
		w.push(1)
	case op == 0x40: // memory.grow
		w.r.byte()
	case op >= 0x41 && op <= 0x44: // constants
		switch op {
		case 0x41:
			w.r.skipLEB(5)
		case 0x42:
			w.r.skipLEB(10)
		case 0x43:
			w.r.take(4)
		case 0x44:
			w.r.take(8)
		}
		w.push(1)
	case op >= 0x45 && op <= 0xbf: // arithmetic
		w.effect(operands(op), 1)
	default:
		return fmt.Errorf("instruction 0x%02x is not of WebAssembly 1.0 (compile with -mcpu=mvp)", op)
	}
	return nil
}

// operands reports how many values an instruction from i32.eqz to f64.reinterpret_i64 takes.
func operands(op byte) int {
	switch {
	case op == 0x45, op == 0x50, // eqz
		op >= 0x67 && op <= 0x69, op >= 0x79 && op <= 0x7b, // clz ctz popcnt
		op >= 0x8b && op <= 0x91, op >= 0x99 && op <= 0x9f, // abs neg ceil floor trunc nearest sqrt
		op >= 0xa7: // conversions
		return 1
	default:
		return 2
	}
}

func (w *walker) enter(op byte) error {
	results := 1
	switch t := w.r.byte(); t {
	case 0x40:
		results = 0
	case 0x7f, 0x7e, 0x7d, 0x7c:
	default:
		return fmt.Errorf("block type 0x%02x is not of WebAssembly 1.0 (compile with -mcpu=mvp)", t)
	}
	if op == 0x04 {
		w.pop(1)
	}
	if len(w.blocks) > maxNesting { // the first is the function's own
		return fmt.Errorf("more than %d blocks inside each other", maxNesting)
	}
	w.blocks = append(w.blocks, block{w.height, results})
	return nil
}

func (w *walker) call(op byte) error {
	index := w.r.u32()
	if op == 0x10 {
		if int(index) >= len(w.m.funcs) {
			return fmt.Errorf("calls function %d of %d", index, len(w.m.funcs))
		}
		w.to(index)
		t := w.m.types[w.m.funcs[index]]
		w.effect(t.params, t.results)
		return nil
	}
	w.r.byte() // table
	if int(index) >= len(w.m.types) {
		return fmt.Errorf("calls through unknown type %d", index)
	}
	t := w.m.types[index]
	for _, f := range w.m.elements { // any function of the table that has the type
		if w.m.types[w.m.funcs[f]].signature == t.signature {
			w.to(f)
		}
	}
	w.effect(1+t.params, t.results)
	return nil
}

func (w *walker) to(f uint32) {
	if !slices.Contains(w.calls, f) {
		w.calls = append(w.calls, f)
	}
}
