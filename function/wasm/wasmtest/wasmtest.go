// Package wasmtest builds handlers for tests: hostile ones by hand, and the samples.
package wasmtest

import (
	"encoding/binary"
	"os"
	"strings"
	"testing"

	"github.com/edgeistry/edgeistry/internal/repository"
)

// Module is a handler to build by hand: what a compiler would not let one write.
type Module struct {
	Pages     uint32
	Locals    uint32 // i32 locals of edg_handle
	Handle    string // instructions of edg_handle without the last end
	More      []Func // further functions, from index 3 on
	Capacity  string // instructions of edg_capacity
	Imports   string // import section's content
	Table     uint32
	Elements  []byte // functions in the table
	ExportNot string // an export to leave out
	Raw       string // sections to add at the end
}

// Func is a function of type 0 () -> i32 or 1 (i32) -> i32.
type Func struct {
	Kind   byte
	Locals uint32
	Code   string
}

func leb(v uint32) string { return string(binary.AppendUvarint(nil, uint64(v))) }

// Vec returns a vector: its length, then its items.
func Vec(items ...string) string { return leb(uint32(len(items))) + strings.Join(items, "") }

func sized(content string) string { return leb(uint32(len(content))) + content }

// Section returns a section with its ID and size.
func Section(id byte, content string) string { return string(id) + sized(content) }

func code(f Func) string {
	locals := "\x00"
	if f.Locals > 0 {
		locals = "\x01" + leb(f.Locals) + "\x7f"
	}
	return sized(locals + f.Code + "\x0b")
}

// Build returns the module's bytes.
func (w Module) Build() []byte {
	if w.Pages == 0 {
		w.Pages = 1
	}
	if w.Capacity == "" {
		w.Capacity = "\x41\x80\x02" // i32.const 256
	}
	kinds := []string{"\x00", "\x00", "\x01"}
	bodies := []string{
		code(Func{Code: "\x41\x80\x08"}), // edg_buffer: i32.const 1024
		code(Func{Code: w.Capacity}),
		code(Func{Locals: w.Locals, Code: w.Handle}),
	}
	for _, f := range w.More {
		kinds = append(kinds, string(f.Kind))
		bodies = append(bodies, code(f))
	}
	exports := []string{}
	for _, e := range []string{"\x06memory\x02\x00", "\x0aedg_buffer\x00\x00", "\x0cedg_capacity\x00\x01", "\x0aedg_handle\x00\x02"} {
		if w.ExportNot == "" || !strings.Contains(e, w.ExportNot) {
			exports = append(exports, e)
		}
	}
	var b strings.Builder
	b.WriteString("\x00asm\x01\x00\x00\x00")
	b.WriteString(Section(1, Vec("\x60\x00\x01\x7f", "\x60\x01\x7f\x01\x7f")))
	if w.Imports != "" {
		b.WriteString(Section(2, w.Imports))
	}
	b.WriteString(Section(3, Vec(kinds...)))
	if w.Table > 0 {
		b.WriteString(Section(4, "\x01\x70\x00"+leb(w.Table)))
	}
	b.WriteString(Section(5, "\x01\x00"+leb(w.Pages)))
	b.WriteString(Section(7, Vec(exports...)))
	if len(w.Elements) > 0 {
		b.WriteString(Section(9, "\x01\x00\x41\x00\x0b"+sized(string(w.Elements))))
	}
	b.WriteString(Section(10, Vec(bodies...)))
	b.WriteString(w.Raw)
	return []byte(b.String())
}

// Instructions that hostile handlers are made of.
const (
	Get0    = "\x20\x00"
	Zero    = "\x41\x00"
	Spin    = "\x03\x40\x0c\x00\x0b" // loop br 0 end
	growOne = "\x41\x01\x40\x00\x1a" // memory.grow 1, drop
	Less    = Get0 + "\x41\x01\x6b"  // n - 1
	Grow    = "\x03\x40" + growOne + "\x0c\x00\x0b"
)

// Call returns the instruction that calls function f.
func Call(f byte) string { return "\x10" + string(f) }

// Twice is a chain of n functions, each of which calls the next one twice: 2^n calls without a loop
// or recursion.
func Twice(n int) []Func {
	fns := make([]Func, n)
	for i := range fns {
		next := byte(3 + i + 1)
		fns[i] = Func{1, 0, Get0 + Call(next) + Call(next)}
	}
	fns[n-1].Code = Get0
	return fns
}

// Sample returns a sample handler of function/testdata.
func Sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(repository.Path(t, "function", "testdata", name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Window returns payloads in the form that a handler with a window gets: each after its length.
func Window(payloads ...[]byte) []byte {
	var b []byte
	for _, p := range payloads {
		b = binary.BigEndian.AppendUint16(b, uint16(len(p)))
		b = append(b, p...)
	}
	return b
}

// Tenths returns a reading of the samples: tenths of a degree, big-endian.
func Tenths(v int16) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }
