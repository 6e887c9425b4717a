package function

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"strings"
	"testing"
	"time"
)

// wasm is a module to build by hand: what clang would not let one write.
type wasm struct {
	pages     uint32
	locals    uint32 // i32 locals of edg_handle
	handle    string // instructions of edg_handle without the last end
	more      []fn   // further functions, from index 3 on
	capacity  string // instructions of edg_capacity
	imports   string // import section's content
	table     uint32
	elements  []byte // functions in the table
	exportNot string // an export to leave out
	raw       string // sections to add at the end
}

// fn is a function of type 0 () -> i32 or 1 (i32) -> i32.
type fn struct {
	kind   byte
	locals uint32
	code   string
}

func leb(v uint32) string { return string(binary.AppendUvarint(nil, uint64(v))) }

func vec(items ...string) string { return leb(uint32(len(items))) + strings.Join(items, "") }

func sized(content string) string { return leb(uint32(len(content))) + content }

func sec(id byte, content string) string { return string(id) + sized(content) }

func code(f fn) string {
	locals := "\x00"
	if f.locals > 0 {
		locals = "\x01" + leb(f.locals) + "\x7f"
	}
	return sized(locals + f.code + "\x0b")
}

func (w wasm) build() []byte {
	if w.pages == 0 {
		w.pages = 1
	}
	if w.capacity == "" {
		w.capacity = "\x41\x80\x02" // i32.const 256
	}
	kinds := []string{"\x00", "\x00", "\x01"}
	bodies := []string{
		code(fn{code: "\x41\x80\x08"}), // edg_buffer: i32.const 1024
		code(fn{code: w.capacity}),
		code(fn{locals: w.locals, code: w.handle}),
	}
	for _, f := range w.more {
		kinds = append(kinds, string(f.kind))
		bodies = append(bodies, code(f))
	}
	exports := []string{}
	for _, e := range []string{"\x06memory\x02\x00", "\x0aedg_buffer\x00\x00", "\x0cedg_capacity\x00\x01", "\x0aedg_handle\x00\x02"} {
		if w.exportNot == "" || !strings.Contains(e, w.exportNot) {
			exports = append(exports, e)
		}
	}
	var b strings.Builder
	b.WriteString("\x00asm\x01\x00\x00\x00")
	b.WriteString(sec(sectionType, vec("\x60\x00\x01\x7f", "\x60\x01\x7f\x01\x7f")))
	if w.imports != "" {
		b.WriteString(sec(sectionImport, w.imports))
	}
	b.WriteString(sec(sectionFunction, vec(kinds...)))
	if w.table > 0 {
		b.WriteString(sec(sectionTable, "\x01\x70\x00"+leb(w.table)))
	}
	b.WriteString(sec(sectionMemory, "\x01\x00"+leb(w.pages)))
	b.WriteString(sec(sectionExport, vec(exports...)))
	if len(w.elements) > 0 {
		b.WriteString(sec(sectionElement, "\x01\x00\x41\x00\x0b"+sized(string(w.elements))))
	}
	b.WriteString(sec(sectionCode, vec(bodies...)))
	b.WriteString(w.raw)
	return []byte(b.String())
}

// Instructions that the zoo is made of.
const (
	get0     = "\x20\x00"
	zero     = "\x41\x00"
	loopBr   = "\x03\x40\x0c\x00\x0b" // loop br 0 end
	growOne  = "\x41\x01\x40\x00\x1a" // memory.grow 1, drop
	less     = get0 + "\x41\x01\x6b"  // n - 1
	loopGrow = "\x03\x40" + growOne + "\x0c\x00\x0b"
)

func call(f byte) string { return "\x10" + string(f) }

// twice is a chain of n functions, each of which calls the next one twice: 2^n calls without a loop or recursion.
func twice(n int) []fn {
	fns := make([]fn, n)
	for i := range fns {
		next := byte(3 + i + 1)
		fns[i] = fn{1, 0, get0 + call(next) + call(next)}
	}
	fns[n-1].code = get0
	return fns
}

func TestHostileModulesAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		module []byte
		want   string
	}{
		"empty":            {nil, "no module"},
		"text":             {[]byte("hello, handler"), "not a WebAssembly module of version 1"},
		"too big":          {make([]byte, MaxModule+1), "module of 262145 bytes, at most 262144"},
		"truncated":        {wasm{handle: zero}.build()[:60], "module is truncated or malformed"},
		"imports":          {wasm{handle: zero, imports: vec("\x03env\x04exit\x00\x00")}.build(), `module imports "exit" from "env": a handler gets no imports`},
		"WASI":             {wasm{handle: zero, imports: vec("\x16wasi_snapshot_preview1\x08fd_write\x00\x00")}.build(), `module imports "fd_write" from "wasi_snapshot_preview1": a handler gets no imports`},
		"no memory":        {wasm{handle: zero, exportNot: "memory"}.build(), `module must have one memory and export it as "memory"`},
		"no buffer":        {wasm{handle: zero, exportNot: "edg_buffer"}.build(), `module exports no function "edg_buffer" (edg_handler.h gives it)`},
		"no capacity":      {wasm{handle: zero, exportNot: "edg_capacity"}.build(), `module exports no function "edg_capacity" (edg_handler.h gives it)`},
		"no handle":        {wasm{handle: zero, exportNot: "edg_handle"}.build(), `module exports no function "edg_handle" (edg_handler.h gives it)`},
		"wrong type":       {bytes.Replace(wasm{handle: zero}.build(), []byte("edg_handle\x00\x02"), []byte("edg_handle\x00\x01"), 1), `"edg_handle" is not (i32) -> i32`},
		"much memory":      {wasm{handle: zero, pages: 17}.build(), "module needs 17 memory pages, it may have 16"},
		"huge table":       {wasm{handle: zero, table: 1 << 30}.build(), "table of 1073741824 elements, at most 1024"},
		"many locals":      {wasm{handle: zero, locals: 1 << 31}.build(), "function 2 has more than 512 locals"},
		"many locals all":  {wasm{handle: zero, more: slicesRepeat(fn{0, 500, zero}, 20)}.build(), "functions have more than 8192 locals in all"},
		"recursion, large": {wasm{handle: get0 + call(2), locals: 300}.build(), "calls may need 4960000 bytes of stack, at most 4194304: use smaller frames or no recursion"},
		"operands":         {wasm{handle: strings.Repeat(get0, 3000) + call(2) + strings.Repeat("\x1a", 3000) + zero}.build(), "calls may need 48144000 bytes of stack, at most 4194304: use smaller frames or no recursion"},
		"through a table":  {wasm{handle: get0 + get0 + "\x11\x01\x00", locals: 300, table: 1, elements: []byte{2}}.build(), "calls may need 4976000 bytes of stack, at most 4194304: use smaller frames or no recursion"},
		"newer":            {wasm{handle: get0 + "\xc0"}.build(), "function 2: instruction 0xc0 is not of WebAssembly 1.0 (compile with -mcpu=mvp)"},
		"not typed":        {wasm{handle: "\x42\x00"}.build(), "invalid function[2]"},
		"bad buffer":       {wasm{handle: zero, capacity: "\x41\x80\x80\x04"}.build(), "buffer of 65536 bytes at 1024 is outside the memory of 65536 bytes"},
		"negative buffer":  {wasm{handle: zero, capacity: "\x41\x7f"}.build(), "buffer of 4294967295 bytes at 1024 is outside the memory of 65536 bytes"},
		"traps at once":    {wasm{handle: zero, capacity: "\x00"}.build(), "edg_capacity: handler trapped: unreachable"},
		"never answers":    {wasm{handle: zero, capacity: loopBr + zero}.build(), "edg_capacity: handler ran longer than 50ms"},
		"second code":      {wasm{handle: zero, raw: sec(sectionCode, "\x00")}.build(), "section 10 is out of order or not of WebAssembly 1.0"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := compileModule(t.Context(), c.module, 50*time.Millisecond)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("compile() = %v, want %s", err, c.want)
			}
		})
	}
}

func slicesRepeat(f fn, n int) []fn {
	fns := make([]fn, n)
	for i := range fns {
		fns[i] = f
	}
	return fns
}

func compileModule(ctx context.Context, module []byte, timeout time.Duration) (*program, error) {
	s, err := Spec{Name: "x", On: logID("a"), To: logID("b"), Module: module, Timeout: timeout}.withDefaults()
	if err != nil {
		return nil, err
	}
	return compile(ctx, s)
}

func TestHostileRunsAreEnded(t *testing.T) {
	for name, c := range map[string]struct {
		module []byte
		want   string
	}{
		"endless loop":      {wasm{handle: loopBr + zero}.build(), "handler ran longer than 50ms"},
		"recursion":         {wasm{handle: get0 + call(2)}.build(), "handler trapped: stack overflow"},
		"grows for ever":    {wasm{handle: loopGrow + zero}.build(), "handler ran longer than 50ms"},
		"calls without end": {wasm{handle: get0 + call(3), more: twice(60)}.build(), "handler ran longer than 50ms"},
		"recursion, wide":   {wasm{handle: "\x41\x3c" + call(3), more: []fn{{1, 0, get0 + "\x45\x04\x7f" + zero + "\x05" + less + call(3) + "\x1a" + less + call(3) + "\x0b"}}}.build(), "handler ran longer than 50ms"},
		"unreachable":       {wasm{handle: "\x00"}.build(), "handler trapped: unreachable"},
		"out of memory":     {wasm{handle: "\x41\x7f\x28\x02\x00"}.build(), "handler trapped: out of bounds memory access"},
		"divides by zero":   {wasm{handle: "\x41\x01\x41\x00\x6d"}.build(), "handler trapped: integer divide by zero"},
		"empty table":       {wasm{handle: get0 + "\x41\x05\x11\x01\x00", table: 1}.build(), "handler trapped: invalid table access"},
		"own error":         {wasm{handle: "\x41\x79"}.build(), "handler gave error -7"},
		"too much output":   {wasm{handle: "\x41\x81\x02"}.build(), "handler gave 257 bytes of output, its buffer has 256 and an entry at most 65000"},
		"garbage length":    {wasm{handle: "\x41\xff\xff\xff\xff\x07"}.build(), "handler gave 2147483647 bytes of output, its buffer has 256 and an entry at most 65000"},
	} {
		t.Run(name, func(t *testing.T) {
			timeout := 10 * time.Second
			if strings.Contains(c.want, "50ms") {
				timeout = 50 * time.Millisecond
			}
			p, err := compileModule(t.Context(), c.module, timeout)
			if err != nil {
				t.Fatalf("compile() = %v", err)
			}
			defer p.close()
			begin := time.Now()
			output, err := p.run(t.Context(), []byte{1, 2, 3})
			if err == nil || !strings.Contains(err.Error(), c.want) || output != nil {
				t.Errorf("run() = %x, %v, want %s", output, err, c.want)
			}
			if took := time.Since(begin); took > timeout+5*time.Second { // far more than it needs: the machine may be busy
				t.Errorf("run() took %v under a deadline of %v", took, timeout)
			}
		})
	}
}

func TestRunTooMuchInput(t *testing.T) {
	p, err := compileModule(t.Context(), wasm{handle: get0}.build(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if out, err := p.run(t.Context(), make([]byte, 256)); err != nil || len(out) != 256 {
		t.Errorf("run(256 bytes) = %d bytes, %v", len(out), err)
	}
	const want = "input of 257 bytes is more than the handler's buffer of 256"
	if _, err := p.run(t.Context(), make([]byte, 257)); err == nil || err.Error() != want {
		t.Errorf("run(257 bytes) = %v, want %s", err, want)
	}
}

// Nothing of a run is left for the next: the handler counts in its memory and always gives 1.
func TestRunsAreFresh(t *testing.T) {
	// i32.store(0, i32.load(0) + 1); buffer[0] = i32.load(0); return 1
	handle := "\x41\x00\x41\x00\x28\x02\x00\x41\x01\x6a\x36\x02\x00" + "\x41\x80\x08\x41\x00\x28\x02\x00\x3a\x00\x00" + "\x41\x01"
	p, err := compileModule(t.Context(), wasm{handle: handle}.build(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	for range 3 {
		if out, err := p.run(t.Context(), nil); err != nil || len(out) != 1 || out[0] != 1 {
			t.Errorf("run() = %x, %v, want 01", out, err)
		}
	}
}

func readModule(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".wasm")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func window(payloads ...[]byte) []byte {
	var b []byte
	for _, p := range payloads {
		b = binary.BigEndian.AppendUint16(b, uint16(len(p)))
		b = append(b, p...)
	}
	return b
}

func tenths(v int16) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }

func TestSamples(t *testing.T) {
	for _, c := range []struct {
		name        string
		input, want []byte
	}{
		{"smooth", window(tenths(200)), tenths(200)},
		{"smooth", window(tenths(200), tenths(210), tenths(221)), tenths(210)},
		{"smooth", window(tenths(-5), tenths(-6)), tenths(-6)},
		{"smooth", window(tenths(5), tenths(6)), tenths(6)},
		{"smooth", window(tenths(-300), []byte("odd"), tenths(100)), tenths(-100)},
		{"smooth", window([]byte("odd")), nil},
		{"smooth", nil, nil},
		{"smooth", []byte{0, 9, 1}, nil},
		{"alarm", tenths(300), nil},
		{"alarm", tenths(-300), nil},
		{"alarm", tenths(305), []byte("too warm: 30.5")},
		{"alarm", tenths(1000), []byte("too warm: 100.0")},
		{"alarm", tenths(10005), []byte("too warm: 1000.5")},
		{"alarm", tenths(32767), []byte("too warm: 3276.7")},
		{"echo", []byte("abc"), []byte("abc")},
		{"echo", nil, nil},
	} {
		p, err := compileModule(t.Context(), readModule(t, c.name), 10*time.Second)
		if err != nil {
			t.Fatalf("%s: compile() = %v", c.name, err)
		}
		if got, err := p.run(t.Context(), c.input); err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s(%x) = %x, %v, want %x", c.name, c.input, got, err, c.want)
		}
		p.close()
	}
}

// Whatever bytes a module has, checking it ends, does not panic, and what passes can be run within its bounds.
func FuzzModule(f *testing.F) {
	for _, name := range []string{"smooth", "alarm", "echo"} {
		f.Add(readModule(f, name))
	}
	f.Add(wasm{handle: get0 + call(2)}.build())
	f.Add(wasm{handle: get0 + get0 + "\x11\x01\x00", table: 1, elements: []byte{2}}.build())
	f.Add(wasm{handle: get0 + call(3), more: twice(4)}.build())
	f.Fuzz(func(t *testing.T, module []byte) {
		if len(module) > 8<<10 {
			return
		}
		p, err := compileModule(t.Context(), module, 50*time.Millisecond)
		if err != nil {
			return
		}
		defer p.close()
		begin := time.Now()
		output, err := p.run(t.Context(), []byte{1, 2, 3, 4})
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("run took %v", took)
		}
		if err != nil && output != nil {
			t.Errorf("run() = %x and %v", output, err)
		}
	})
}

func BenchmarkRun(b *testing.B) {
	p, err := compileModule(b.Context(), readModule(b, "smooth"), 10*time.Second)
	if err != nil {
		b.Fatal(err)
	}
	defer p.close()
	input := window(tenths(200), tenths(210), tenths(220), tenths(230))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.run(b.Context(), input); err != nil {
			b.Fatal(err)
		}
	}
}
