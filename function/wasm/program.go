package wasm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"
)

// Limits are the bounds of one handler's runs. All of them must be positive.
type Limits struct {
	Timeout     time.Duration // of one run
	MemoryPages uint32        // of 64 KiB
	MaxOutput   int           // bytes
}

// Program is a checked and compiled handler. Its methods may be used by many goroutines.
//
// It runs in wazero's interpreter, not in wazero's compiler. A short handler costs about the same
// in either, because most of a run is making the instance. Under the compiler endless recursion
// ignores the deadline and takes some 200 MB before it traps; the interpreter traps at a depth of
// 2000. docs/spec/function.md has the figures.
type Program struct {
	runtime   wazero.Runtime
	compiled  wazero.CompiledModule
	timeout   time.Duration
	maxOutput int
}

// Compile checks a module against the handler ABI and the bounds of docs/spec/function.md, compiles
// it, and makes one instance to see that it can be made. The error says what is wrong with the
// module. The caller closes the Program.
func Compile(ctx context.Context, module []byte, limits Limits) (*Program, error) {
	if len(module) > MaxModule {
		return nil, fmt.Errorf("module of %d bytes, at most %d", len(module), MaxModule)
	}
	m, err := parseModule(module)
	if err != nil {
		return nil, err
	}
	if err := m.checkABI(limits.MemoryPages); err != nil {
		return nil, err
	}
	stack, err := m.stackBytes()
	if err != nil {
		return nil, err
	}
	if stack > maxStackBytes {
		return nil, fmt.Errorf("calls may need %d bytes of stack, at most %d: use smaller frames or no recursion", stack, maxStackBytes)
	}
	config := wazero.NewRuntimeConfigInterpreter().
		WithCoreFeatures(api.CoreFeaturesV1).
		WithMemoryLimitPages(limits.MemoryPages).
		WithCloseOnContextDone(true)
	p := &Program{runtime: wazero.NewRuntimeWithConfig(ctx, config), timeout: limits.Timeout, maxOutput: limits.MaxOutput}
	if p.compiled, err = p.runtime.CompileModule(ctx, m.guarded()); err != nil {
		p.Close()
		return nil, errors.New(firstLine(err))
	}
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	i, err := p.instantiate(ctx)
	if err != nil {
		p.Close()
		return nil, err
	}
	i.close()
	return p, nil
}

// Close frees the compiled code.
func (p *Program) Close() {
	_ = p.runtime.Close(context.Background()) // it holds memory only
}

// instance is a fresh copy of a program with its buffer found.
type instance struct {
	module   api.Module
	buffer   uint32
	capacity uint32
}

func (p *Program) instantiate(ctx context.Context) (*instance, error) {
	module, err := p.runtime.InstantiateModule(ctx, p.compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		return nil, p.explain(err)
	}
	i := &instance{module: module}
	for _, f := range []struct {
		name string
		to   *uint32
	}{{"edg_buffer", &i.buffer}, {"edg_capacity", &i.capacity}} {
		results, err := module.ExportedFunction(f.name).Call(ctx)
		if err != nil {
			i.close()
			return nil, fmt.Errorf("%s: %w", f.name, p.explain(err))
		}
		*f.to = uint32(results[0])
	}
	if uint64(i.buffer)+uint64(i.capacity) > uint64(module.Memory().Size()) {
		i.close()
		return nil, fmt.Errorf("buffer of %d bytes at %d is outside the memory of %d bytes", i.capacity, i.buffer, module.Memory().Size())
	}
	return i, nil
}

func (i *instance) close() { _ = i.module.Close(context.Background()) }

// Run hands input to a fresh instance and returns its output; nil: none. It returns an error for a
// trap, the deadline, an error of the handler's own, and input or output beyond the buffer or
// MaxOutput.
func (p *Program) Run(ctx context.Context, input []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	i, err := p.instantiate(ctx)
	if err != nil {
		return nil, err
	}
	defer i.close()
	if len(input) > int(i.capacity) {
		return nil, fmt.Errorf("input of %d bytes is more than the handler's buffer of %d", len(input), i.capacity)
	}
	if !i.module.Memory().Write(i.buffer, input) {
		return nil, errors.New("buffer is outside the memory")
	}
	results, err := i.module.ExportedFunction("edg_handle").Call(ctx, uint64(len(input)))
	if err != nil {
		return nil, p.explain(err)
	}
	length := int32(uint32(results[0]))
	switch {
	case length < 0:
		return nil, fmt.Errorf("handler gave error %d", length)
	case length == 0:
		return nil, nil
	case uint32(length) > i.capacity || int(length) > p.maxOutput:
		return nil, fmt.Errorf("handler gave %d bytes of output, its buffer has %d and an entry at most %d", length, i.capacity, p.maxOutput)
	}
	view, ok := i.module.Memory().Read(i.buffer, uint32(length))
	if !ok {
		return nil, errors.New("output is outside the memory")
	}
	return append([]byte(nil), view...), nil
}

// explain reports in one line why a run ended.
func (p *Program) explain(err error) error {
	var exit *sys.ExitError
	if errors.As(err, &exit) {
		switch exit.ExitCode() {
		case sys.ExitCodeDeadlineExceeded:
			return fmt.Errorf("handler ran longer than %v", p.timeout)
		case sys.ExitCodeContextCanceled:
			return context.Canceled
		}
	}
	return fmt.Errorf("handler trapped: %s", strings.TrimPrefix(firstLine(err), "wasm error: "))
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
