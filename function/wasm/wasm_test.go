package wasm

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/function/wasm/wasmtest"
)

func TestHostileModulesAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		module []byte
		want   string
	}{
		"empty":            {nil, "not a WebAssembly module of version 1"},
		"text":             {[]byte("hello, handler"), "not a WebAssembly module of version 1"},
		"too big":          {make([]byte, MaxModule+1), "module of 262145 bytes, at most 262144"},
		"truncated":        {wasmtest.Module{Handle: wasmtest.Zero}.Build()[:60], "module is truncated or malformed"},
		"imports":          {wasmtest.Module{Handle: wasmtest.Zero, Imports: wasmtest.Vec("\x03env\x04exit\x00\x00")}.Build(), `module imports "exit" from "env": a handler gets no imports`},
		"WASI":             {wasmtest.Module{Handle: wasmtest.Zero, Imports: wasmtest.Vec("\x16wasi_snapshot_preview1\x08fd_write\x00\x00")}.Build(), `module imports "fd_write" from "wasi_snapshot_preview1": a handler gets no imports`},
		"no memory":        {wasmtest.Module{Handle: wasmtest.Zero, ExportNot: "memory"}.Build(), `module must have one memory and export it as "memory"`},
		"no buffer":        {wasmtest.Module{Handle: wasmtest.Zero, ExportNot: "edg_buffer"}.Build(), `module exports no function "edg_buffer" (edg_handler.h gives it)`},
		"no capacity":      {wasmtest.Module{Handle: wasmtest.Zero, ExportNot: "edg_capacity"}.Build(), `module exports no function "edg_capacity" (edg_handler.h gives it)`},
		"no handle":        {wasmtest.Module{Handle: wasmtest.Zero, ExportNot: "edg_handle"}.Build(), `module exports no function "edg_handle" (edg_handler.h gives it)`},
		"wrong type":       {bytes.Replace(wasmtest.Module{Handle: wasmtest.Zero}.Build(), []byte("edg_handle\x00\x02"), []byte("edg_handle\x00\x01"), 1), `"edg_handle" is not (i32) -> i32`},
		"much memory":      {wasmtest.Module{Handle: wasmtest.Zero, Pages: 17}.Build(), "module needs 17 memory pages, it may have 16"},
		"huge table":       {wasmtest.Module{Handle: wasmtest.Zero, Table: 1 << 30}.Build(), "table of 1073741824 elements, at most 1024"},
		"many locals":      {wasmtest.Module{Handle: wasmtest.Zero, Locals: 1 << 31}.Build(), "function 2 has more than 512 locals"},
		"many locals all":  {wasmtest.Module{Handle: wasmtest.Zero, More: slicesRepeat(wasmtest.Func{Kind: 0, Locals: 500, Code: wasmtest.Zero}, 20)}.Build(), "functions have more than 8192 locals in all"},
		"recursion, large": {wasmtest.Module{Handle: wasmtest.Get0 + wasmtest.Call(2), Locals: 300}.Build(), "calls may need 4960000 bytes of stack, at most 4194304: use smaller frames or no recursion"},
		"operands":         {wasmtest.Module{Handle: strings.Repeat(wasmtest.Get0, 3000) + wasmtest.Call(2) + strings.Repeat("\x1a", 3000) + wasmtest.Zero}.Build(), "calls may need 48144000 bytes of stack, at most 4194304: use smaller frames or no recursion"},
		"through a table":  {wasmtest.Module{Handle: wasmtest.Get0 + wasmtest.Get0 + "\x11\x01\x00", Locals: 300, Table: 1, Elements: []byte{2}}.Build(), "calls may need 4976000 bytes of stack, at most 4194304: use smaller frames or no recursion"},
		"newer":            {wasmtest.Module{Handle: wasmtest.Get0 + "\xc0"}.Build(), "function 2: instruction 0xc0 is not of WebAssembly 1.0 (compile with -mcpu=mvp)"},
		"not typed":        {wasmtest.Module{Handle: "\x42\x00"}.Build(), "invalid function[2]"},
		"bad buffer":       {wasmtest.Module{Handle: wasmtest.Zero, Capacity: "\x41\x80\x80\x04"}.Build(), "buffer of 65536 bytes at 1024 is outside the memory of 65536 bytes"},
		"negative buffer":  {wasmtest.Module{Handle: wasmtest.Zero, Capacity: "\x41\x7f"}.Build(), "buffer of 4294967295 bytes at 1024 is outside the memory of 65536 bytes"},
		"traps at once":    {wasmtest.Module{Handle: wasmtest.Zero, Capacity: "\x00"}.Build(), "edg_capacity: handler trapped: unreachable"},
		"never answers":    {wasmtest.Module{Handle: wasmtest.Zero, Capacity: wasmtest.Spin + wasmtest.Zero}.Build(), "edg_capacity: handler ran longer than 50ms"},
		"nested ifs":       {wasmtest.Module{Handle: strings.Repeat(wasmtest.Zero+"\x04\x40", 50_000) + strings.Repeat("\x0b", 50_000) + wasmtest.Zero}.Build(), "function 2: more than 1024 blocks inside each other"},
		"threads":          {withMemoryLimits("\x03\x01\x02"), "shared memory (threads) is not of WebAssembly 1.0: compile without -pthread, with -mcpu=mvp"},
		"memory64":         {withMemoryLimits("\x04\x01"), "64-bit memory (the memory64 proposal) is not of WebAssembly 1.0: compile for wasm32 with -mcpu=mvp"},
		"second code":      {wasmtest.Module{Handle: wasmtest.Zero, Raw: wasmtest.Section(sectionCode, "\x00")}.Build(), "section 10 is out of order or not of WebAssembly 1.0"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := compileModule(t.Context(), c.module, 50*time.Millisecond)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Compile() = %v, want %s", err, c.want)
			}
		})
	}
}

// withMemoryLimits returns a module whose memory has these limits.
func withMemoryLimits(limits string) []byte {
	return bytes.Replace(wasmtest.Module{Handle: wasmtest.Zero}.Build(), []byte(wasmtest.Section(sectionMemory, wasmtest.Vec("\x00\x01"))), []byte(wasmtest.Section(sectionMemory, wasmtest.Vec(limits))), 1)
}

func slicesRepeat(f wasmtest.Func, n int) []wasmtest.Func {
	fns := make([]wasmtest.Func, n)
	for i := range fns {
		fns[i] = f
	}
	return fns
}

func compileModule(ctx context.Context, module []byte, timeout time.Duration) (*Program, error) {
	return Compile(ctx, module, Limits{Timeout: timeout, MemoryPages: 16, MaxOutput: 65000})
}

func TestHostileRunsAreEnded(t *testing.T) {
	for name, c := range map[string]struct {
		module []byte
		want   string
	}{
		"endless loop":      {wasmtest.Module{Handle: wasmtest.Spin + wasmtest.Zero}.Build(), "handler ran longer than 50ms"},
		"recursion":         {wasmtest.Module{Handle: wasmtest.Get0 + wasmtest.Call(2)}.Build(), "handler trapped: stack overflow"},
		"grows for ever":    {wasmtest.Module{Handle: wasmtest.Grow + wasmtest.Zero}.Build(), "handler ran longer than 50ms"},
		"calls without end": {wasmtest.Module{Handle: wasmtest.Get0 + wasmtest.Call(3), More: wasmtest.Twice(60)}.Build(), "handler ran longer than 50ms"},
		"recursion, wide":   {wasmtest.Module{Handle: "\x41\x3c" + wasmtest.Call(3), More: []wasmtest.Func{{Kind: 1, Locals: 0, Code: wasmtest.Get0 + "\x45\x04\x7f" + wasmtest.Zero + "\x05" + wasmtest.Less + wasmtest.Call(3) + "\x1a" + wasmtest.Less + wasmtest.Call(3) + "\x0b"}}}.Build(), "handler ran longer than 50ms"},
		"unreachable":       {wasmtest.Module{Handle: "\x00"}.Build(), "handler trapped: unreachable"},
		"out of memory":     {wasmtest.Module{Handle: "\x41\x7f\x28\x02\x00"}.Build(), "handler trapped: out of bounds memory access"},
		"divides by zero":   {wasmtest.Module{Handle: "\x41\x01\x41\x00\x6d"}.Build(), "handler trapped: integer divide by zero"},
		"empty table":       {wasmtest.Module{Handle: wasmtest.Get0 + "\x41\x05\x11\x01\x00", Table: 1}.Build(), "handler trapped: invalid table access"},
		"own error":         {wasmtest.Module{Handle: "\x41\x79"}.Build(), "handler gave error -7"},
		"too much output":   {wasmtest.Module{Handle: "\x41\x81\x02"}.Build(), "handler gave 257 bytes of output, its buffer has 256 and an entry at most 65000"},
		"garbage length":    {wasmtest.Module{Handle: "\x41\xff\xff\xff\xff\x07"}.Build(), "handler gave 2147483647 bytes of output, its buffer has 256 and an entry at most 65000"},
	} {
		t.Run(name, func(t *testing.T) {
			timeout := 10 * time.Second
			if strings.Contains(c.want, "50ms") {
				timeout = 50 * time.Millisecond
			}
			p, err := compileModule(t.Context(), c.module, timeout)
			if err != nil {
				t.Fatalf("Compile() = %v", err)
			}
			defer p.Close()
			begin := time.Now()
			output, err := p.Run(t.Context(), []byte{1, 2, 3})
			if err == nil || !strings.Contains(err.Error(), c.want) || output != nil {
				t.Errorf("Run() = %x, %v, want %s", output, err, c.want)
			}
			if took := time.Since(begin); took > timeout+5*time.Second { // far more than it needs: the machine may be busy
				t.Errorf("run() took %v under a deadline of %v", took, timeout)
			}
		})
	}
}

func TestRunTooMuchInput(t *testing.T) {
	p, err := compileModule(t.Context(), wasmtest.Module{Handle: wasmtest.Get0}.Build(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if out, err := p.Run(t.Context(), make([]byte, 256)); err != nil || len(out) != 256 {
		t.Errorf("Run(256 bytes) = %d bytes, %v", len(out), err)
	}
	const want = "input of 257 bytes is more than the handler's buffer of 256"
	if _, err := p.Run(t.Context(), make([]byte, 257)); err == nil || err.Error() != want {
		t.Errorf("Run(257 bytes) = %v, want %s", err, want)
	}
}

// Nothing of a run is left for the next: the handler counts in its memory and always gives 1.
func TestRunsAreFresh(t *testing.T) {
	// i32.store(0, i32.load(0) + 1); buffer[0] = i32.load(0); return 1
	handle := "\x41\x00\x41\x00\x28\x02\x00\x41\x01\x6a\x36\x02\x00" + "\x41\x80\x08\x41\x00\x28\x02\x00\x3a\x00\x00" + "\x41\x01"
	p, err := compileModule(t.Context(), wasmtest.Module{Handle: handle}.Build(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for range 3 {
		if out, err := p.Run(t.Context(), nil); err != nil || len(out) != 1 || out[0] != 1 {
			t.Errorf("Run() = %x, %v, want 01", out, err)
		}
	}
}

func TestSamples(t *testing.T) {
	for _, c := range []struct {
		name        string
		input, want []byte
	}{
		{"smooth", wasmtest.Window(wasmtest.Tenths(200)), wasmtest.Tenths(200)},
		{"smooth", wasmtest.Window(wasmtest.Tenths(200), wasmtest.Tenths(210), wasmtest.Tenths(221)), wasmtest.Tenths(210)},
		{"smooth", wasmtest.Window(wasmtest.Tenths(-5), wasmtest.Tenths(-6)), wasmtest.Tenths(-6)},
		{"smooth", wasmtest.Window(wasmtest.Tenths(5), wasmtest.Tenths(6)), wasmtest.Tenths(6)},
		{"smooth", wasmtest.Window(wasmtest.Tenths(-300), []byte("odd"), wasmtest.Tenths(100)), wasmtest.Tenths(-100)},
		{"smooth", wasmtest.Window([]byte("odd")), nil},
		{"smooth", nil, nil},
		{"smooth", []byte{0, 9, 1}, nil},
		{"alarm", wasmtest.Tenths(300), nil},
		{"alarm", wasmtest.Tenths(-300), nil},
		{"alarm", wasmtest.Tenths(305), []byte("too warm: 30.5")},
		{"alarm", wasmtest.Tenths(1000), []byte("too warm: 100.0")},
		{"alarm", wasmtest.Tenths(10005), []byte("too warm: 1000.5")},
		{"alarm", wasmtest.Tenths(32767), []byte("too warm: 3276.7")},
		{"echo", []byte("abc"), []byte("abc")},
		{"echo", nil, nil},
	} {
		p, err := compileModule(t.Context(), wasmtest.Sample(t, c.name), 10*time.Second)
		if err != nil {
			t.Fatalf("%s: Compile() = %v", c.name, err)
		}
		if got, err := p.Run(t.Context(), c.input); err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s(%x) = %x, %v, want %x", c.name, c.input, got, err, c.want)
		}
		p.Close()
	}
}

// Whatever bytes a module has, checking it ends, does not panic, and what passes can be run within
// its bounds.
func FuzzModule(f *testing.F) {
	for _, name := range []string{"smooth", "alarm", "echo"} {
		f.Add(wasmtest.Sample(f, name))
	}
	f.Add(wasmtest.Module{Handle: wasmtest.Get0 + wasmtest.Call(2)}.Build())
	f.Add(wasmtest.Module{Handle: wasmtest.Get0 + wasmtest.Get0 + "\x11\x01\x00", Table: 1, Elements: []byte{2}}.Build())
	f.Add(wasmtest.Module{Handle: wasmtest.Get0 + wasmtest.Call(3), More: wasmtest.Twice(4)}.Build())
	f.Fuzz(func(t *testing.T, module []byte) {
		if len(module) > 8<<10 {
			return
		}
		p, err := compileModule(t.Context(), module, 50*time.Millisecond)
		if err != nil {
			return
		}
		defer p.Close()
		begin := time.Now()
		output, err := p.Run(t.Context(), []byte{1, 2, 3, 4})
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("run took %v", took)
		}
		if err != nil && output != nil {
			t.Errorf("Run() = %x and %v", output, err)
		}
	})
}

func BenchmarkRun(b *testing.B) {
	p, err := compileModule(b.Context(), wasmtest.Sample(b, "smooth"), 10*time.Second)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	input := wasmtest.Window(wasmtest.Tenths(200), wasmtest.Tenths(210), wasmtest.Tenths(220), wasmtest.Tenths(230))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Run(b.Context(), input); err != nil {
			b.Fatal(err)
		}
	}
}
