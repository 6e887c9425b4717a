package wasm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	capprogram "github.com/edgeistry/edgeistry/capability/program"
)

// maxPolicies is how many compiled programs are kept; one of 30 bytes takes 27 kB to make.
const maxPolicies = 64

// Policies runs the programs of capabilities (docs/spec/program.md). A program sees one memory,
// which is written before each run; so runs take turns, and a run of at most 200 instructions takes
// a few microseconds.
//
// It runs in wazero's interpreter: to compile a body that was not seen before takes 82 us there and
// 2.2 ms in wazero's compiler, and who may narrow a capability can make new bodies for nothing. One
// that is kept runs in 2.2 and 0.7 us (88 instructions, BenchmarkPolicies).
type Policies struct {
	mu       sync.Mutex
	runtime  wazero.Runtime                  // nil: closed
	memory   []byte                          // the only page, as the programs see it
	payload  int                             // bytes of the last payload in it
	programs *simplelru.LRU[string, *policy] // by body; a program that is evicted is closed
}

type policy struct {
	compiled wazero.CompiledModule
	instance api.Module
	run      api.Function
	stack    [capprogram.Parameters]uint64
}

// NewPolicies returns an empty set.
func NewPolicies(ctx context.Context) (*Policies, error) {
	return newPolicies(ctx, wazero.NewRuntimeConfigInterpreter())
}

func newPolicies(ctx context.Context, config wazero.RuntimeConfig) (*Policies, error) {
	p := &Policies{
		runtime: wazero.NewRuntimeWithConfig(ctx, config.WithCoreFeatures(api.CoreFeaturesV1).WithMemoryLimitPages(1)),
	}
	p.programs, _ = simplelru.NewLRU(maxPolicies, func(_ string, program *policy) { program.close() }) // fails for sizes below 1 only
	m, err := p.runtime.InstantiateWithConfig(ctx, memoryModule(), wazero.NewModuleConfig().WithName("m"))
	if err != nil {
		_ = p.runtime.Close(ctx)
		return nil, fmt.Errorf("making the memory of policies: %w", err)
	}
	var ok bool
	if p.memory, ok = m.Memory().Read(0, capprogram.Memory); !ok { // nothing grows it, so it stays where it is
		_ = p.runtime.Close(ctx)
		return nil, errors.New("making the memory of policies: too small")
	}
	return p, nil
}

// Close lets go of all programs. Run denies from then on.
func (p *Policies) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.runtime == nil {
		return nil
	}
	err := p.runtime.Close(context.Background())
	p.runtime, p.memory = nil, nil
	p.programs.Purge()
	return err
}

// Run is a capprogram.Runner.
func (p *Policies) Run(body []byte, in *capprogram.Input) capprogram.Verdict {
	if capprogram.Check(body) != nil {
		return capprogram.Broken
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	program, err := p.program(body)
	if err != nil {
		return capprogram.Fails // closed: what cannot be asked does not allow
	}
	p.fill(in)
	for i, v := range in.Parameters() {
		program.stack[i] = uint64(v)
	}
	if program.run.CallWithStack(context.Background(), program.stack[:]) != nil || uint32(program.stack[0]) == 0 {
		return capprogram.Fails
	}
	return capprogram.Holds
}

// fill writes the name and the payload into the memory.
func (p *Policies) fill(in *capprogram.Input) {
	n := copy(p.memory[:capprogram.NameRoom], in.Name)
	clear(p.memory[n:capprogram.NameRoom])
	room := p.memory[capprogram.NameRoom:]
	n = copy(room, in.Payload)
	if n < p.payload {
		clear(room[n:p.payload])
	}
	p.payload = n
}

// program returns the compiled body, from those kept if it is among them.
func (p *Policies) program(body []byte) (*policy, error) {
	if program, ok := p.programs.Get(string(body)); ok {
		return program, nil
	}
	if p.runtime == nil {
		return nil, errors.New("policies are closed")
	}
	ctx := context.Background()
	compiled, err := p.runtime.CompileModule(ctx, policyModule(fuelled(body)))
	if err != nil {
		return nil, fmt.Errorf("compiling a checked program: %w", err)
	}
	instance, err := p.runtime.InstantiateModule(ctx, compiled, wazero.NewModuleConfig().WithName(""))
	if err != nil {
		_ = compiled.Close(ctx)
		return nil, fmt.Errorf("instantiating a checked program: %w", err)
	}
	program := &policy{compiled: compiled, instance: instance, run: instance.ExportedFunction("f")}
	p.programs.Add(string(body), program)
	return program, nil
}

func (p *policy) close() {
	_ = p.instance.Close(context.Background()) // they hold memory only
	_ = p.compiled.Close(context.Background())
}

const moduleHead = "\x00asm\x01\x00\x00\x00"

// memoryModule has one page of memory, which cannot grow, and exports it as "m".
func memoryModule() []byte {
	out := appendSection([]byte(moduleHead), sectionMemory, []byte{1, 1, 1, 1})
	return appendSection(out, sectionExport, []byte{1, 1, 'm', kindMemory, 0})
}

// policyModule wraps a function's code: the memory comes from memoryModule, "f" is the function.
func policyModule(code []byte) []byte {
	signature := []byte{1, 0x60, capprogram.Parameters}
	for range capprogram.Parameters {
		signature = append(signature, 0x7f)
	}
	out := appendSection([]byte(moduleHead), sectionType, append(signature, 1, 0x7f))
	out = appendSection(out, 2, []byte{1, 1, 'm', 1, 'm', kindMemory, 1, 1, 1}) // imports
	out = appendSection(out, sectionFunction, []byte{1, 0})
	out = appendSection(out, sectionExport, []byte{1, 1, 'f', kindFunction, 0})
	return appendSection(out, sectionCode, append(binary.AppendUvarint([]byte{1}, uint64(len(code))), code...))
}

func appendSection(out []byte, id byte, content []byte) []byte {
	out = binary.AppendUvarint(append(out, id), uint64(len(content)))
	return append(out, content...)
}

// fuelled returns a checked body that traps when it has executed more instructions than it may. One
// more local counts them. They are counted by runs: a run is a stretch that can be entered at its
// start only and left at its end only, unless it traps. So each is counted whole before it starts:
// where that is too much, the program would fail within it, if not of fuel then of a trap.
func fuelled(body []byte) []byte {
	locals, code := byte(0), body[1:]
	if body[0] == 1 {
		locals, code = body[1], body[3:]
	}
	out := []byte{1, locals + 1, 0x7f}
	spent := capprogram.Parameters + locals
	for len(code) > 0 {
		length, cost := programRun(code)
		if cost > 0 {
			out = append(out, 0x20, spent, 0x41) // local.get, i32.const
			out = appendSigned(out, cost)
			out = append(out, 0x6a, 0x22, spent, 0x41) // i32.add, local.tee, i32.const
			out = appendSigned(out, capprogram.Fuel)
			out = append(out, 0x4b, 0x04, 0x40, 0x00, 0x0b) // i32.gt_u, if, unreachable, end
		}
		out = append(out, code[:length]...)
		code = code[length:]
	}
	return out
}

// programRun returns the bytes and the cost of the run at the start of code: it ends behind
// whatever can branch, or can be branched to.
func programRun(code []byte) (length, cost int) {
	for {
		op := code[length]
		length++
		for range immediates(op) {
			for code[length] >= 0x80 {
				length++
			}
			length++
		}
		switch op {
		case 0x05, 0x0b: // else, end
			return length, cost
		case 0x00, 0x03, 0x04, 0x0c, 0x0d, 0x0f: // unreachable, loop, if, br, br_if, return
			return length, cost + 1
		}
		cost++
	}
}

// immediates returns how many LEB128 numbers follow an opcode of a checked body; a block's type
// passes for one.
func immediates(op byte) int {
	switch {
	case op >= 0x02 && op <= 0x04, op == 0x0c, op == 0x0d, op >= 0x20 && op <= 0x22, op == 0x41:
		return 1
	case op >= 0x28 && op <= 0x2f:
		return 2
	}
	return 0
}

// appendSigned appends v as a signed LEB128.
func appendSigned(out []byte, v int) []byte {
	for v > 0x3f {
		out = append(out, byte(v)&0x7f|0x80)
		v >>= 7
	}
	return append(out, byte(v))
}
