package wasm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// MaxModule is the largest module, in bytes.
const MaxModule = 256 << 10

// Bounds on a module that its size alone does not give. All are checked before anything is
// compiled.
const (
	maxTypes      = 256
	maxParams     = 64
	maxFunctions  = 1024
	maxTable      = 1024 // elements
	maxGlobals    = 256
	maxExports    = 64
	maxSegments   = 256
	maxNesting    = 1024    // blocks, loops and ifs inside each other
	maxLocals     = 512     // of a function, parameters included
	maxLocalsAll  = 8192    // of all functions
	maxStackBytes = 4 << 20 // of values and calls under way
)

// module is what has to be known of a WebAssembly 1.0 module to bound it. Type rules are left to
// the engine, which validates the same bytes before they run.
type module struct {
	sections []section
	types    []funcType
	funcs    []uint32 // type of each function
	bodies   []body
	exports  map[string]export
	elements []uint32 // functions in the table
	memories []uint32 // least pages
}

type section struct {
	id      byte
	content []byte
}

type funcType struct {
	params, results int
	signature       string // the encoded type
}

type export struct {
	kind  byte
	index uint32
}

type body struct {
	locals []byte // their declarations
	code   []byte // instructions
	count  int    // locals, parameters included
}

const (
	sectionType     = 1
	sectionImport   = 2
	sectionFunction = 3
	sectionTable    = 4
	sectionMemory   = 5
	sectionGlobal   = 6
	sectionExport   = 7
	sectionStart    = 8
	sectionElement  = 9
	sectionCode     = 10
	sectionData     = 11

	kindFunction = 0
	kindMemory   = 2
)

// parseModule reads a module and refuses what is beyond the bounds.
func parseModule(b []byte) (*module, error) {
	if len(b) < 8 || string(b[:4]) != "\x00asm" || binary.LittleEndian.Uint32(b[4:]) != 1 {
		return nil, errors.New("not a WebAssembly module of version 1")
	}
	m := &module{exports: map[string]export{}}
	r := &reader{b: b[8:]}
	last := byte(0)
	for r.more() {
		id := r.byte()
		content := r.take(r.u32())
		if r.err != nil {
			break
		}
		if id == 0 {
			continue // custom sections (names, debugging) are left out
		}
		if id <= last || id > sectionData {
			return nil, fmt.Errorf("section %d is out of order or not of WebAssembly 1.0", id)
		}
		last = id
		if err := m.section(id, &reader{b: content}); err != nil {
			return nil, err
		}
		m.sections = append(m.sections, section{id, content})
	}
	if r.err != nil {
		return nil, r.err
	}
	if len(m.bodies) != len(m.funcs) {
		return nil, fmt.Errorf("%d functions declared, %d given", len(m.funcs), len(m.bodies))
	}
	return m, nil
}

func (m *module) section(id byte, r *reader) error {
	if id == sectionStart {
		r.u32()
		return r.end(id)
	}
	n := r.u32()
	if r.err != nil {
		return r.err
	}
	switch id {
	case sectionType:
		return m.typeSection(r, n)
	case sectionImport:
		if n > 0 {
			return m.importSection(r)
		}
	case sectionFunction:
		if n > maxFunctions {
			return fmt.Errorf("%d functions, at most %d", n, maxFunctions)
		}
		for range n {
			t := r.u32()
			if r.err == nil && int(t) >= len(m.types) {
				return fmt.Errorf("function of unknown type %d", t)
			}
			m.funcs = append(m.funcs, t)
		}
	case sectionTable:
		for range min(n, 2) {
			r.byte() // element type
			least, err := r.limits("table")
			if err != nil {
				return err
			}
			if least > maxTable {
				return fmt.Errorf("table of %d elements, at most %d", least, maxTable)
			}
		}
	case sectionMemory:
		for range min(n, 2) {
			least, err := r.limits("memory")
			if err != nil {
				return err
			}
			m.memories = append(m.memories, least)
		}
	case sectionGlobal:
		if n > maxGlobals {
			return fmt.Errorf("%d globals, at most %d", n, maxGlobals)
		}
		for range n {
			r.take(2)
			r.constant()
		}
	case sectionExport:
		return m.exportSection(r, n)
	case sectionElement:
		return m.elementSection(r, n)
	case sectionCode:
		return m.codeSection(r, n)
	case sectionData:
		if n > maxSegments {
			return fmt.Errorf("%d data segments, at most %d", n, maxSegments)
		}
		return r.err // the engine checks the rest
	}
	return r.end(id)
}

func (m *module) typeSection(r *reader, n uint32) error {
	if n > maxTypes {
		return fmt.Errorf("%d types, at most %d", n, maxTypes)
	}
	for range n {
		start := r.b
		r.byte() // 0x60
		params := r.u32()
		r.take(params)
		results := r.u32()
		r.take(results)
		if r.err != nil {
			return r.err
		}
		if params > maxParams || results > 1 {
			return fmt.Errorf("function type with %d parameters and %d results, at most %d and 1", params, results, maxParams)
		}
		m.types = append(m.types, funcType{int(params), int(results), string(start[:len(start)-len(r.b)])})
	}
	return r.end(sectionType)
}

func (m *module) importSection(r *reader) error {
	from := r.take(r.u32())
	name := r.take(r.u32())
	if r.err != nil {
		return r.err
	}
	return fmt.Errorf("module imports %.40q from %.40q: a handler gets no imports", name, from)
}

func (m *module) exportSection(r *reader, n uint32) error {
	if n > maxExports {
		return fmt.Errorf("%d exports, at most %d", n, maxExports)
	}
	for range n {
		name := string(r.take(r.u32()))
		m.exports[name] = export{r.byte(), r.u32()}
	}
	return r.end(sectionExport)
}

func (m *module) elementSection(r *reader, n uint32) error {
	if n > maxSegments {
		return fmt.Errorf("%d element segments, at most %d", n, maxSegments)
	}
	for range n {
		if table := r.u32(); r.err == nil && table != 0 {
			return errors.New("element segment is not of WebAssembly 1.0")
		}
		r.constant()
		count := r.u32()
		if count > maxTable {
			return fmt.Errorf("element segment of %d functions, at most %d", count, maxTable)
		}
		for range count {
			f := r.u32()
			if r.err == nil && int(f) >= len(m.funcs) {
				return fmt.Errorf("table names function %d of %d", f, len(m.funcs))
			}
			if r.err == nil && !slices.Contains(m.elements, f) {
				m.elements = append(m.elements, f)
			}
		}
	}
	return r.end(sectionElement)
}

func (m *module) codeSection(r *reader, n uint32) error {
	if int(n) != len(m.funcs) {
		return fmt.Errorf("%d functions declared, %d given", len(m.funcs), n)
	}
	all := 0
	for i := range n {
		code := &reader{b: r.take(r.u32())}
		if r.err != nil {
			return r.err
		}
		start := code.b
		count := uint64(m.types[m.funcs[i]].params)
		for range code.u32() {
			count += uint64(code.u32())
			code.byte()
			if code.err != nil {
				return code.err
			}
			if count > maxLocals {
				return fmt.Errorf("function %d has more than %d locals", i, maxLocals)
			}
		}
		if code.err != nil {
			return code.err
		}
		if all += int(count); all > maxLocalsAll {
			return fmt.Errorf("functions have more than %d locals in all", maxLocalsAll)
		}
		m.bodies = append(m.bodies, body{locals: start[:len(start)-len(code.b)], code: code.b, count: int(count)})
	}
	return r.end(sectionCode)
}

// checkABI reports what is missing for the handler ABI.
func (m *module) checkABI(pages uint32) error {
	if e, ok := m.exports["memory"]; !ok || e.kind != kindMemory || len(m.memories) != 1 {
		return errors.New(`module must have one memory and export it as "memory"`)
	}
	if m.memories[0] > pages {
		return fmt.Errorf("module needs %d memory pages, it may have %d", m.memories[0], pages)
	}
	for _, f := range []struct{ name, signature, text string }{
		{"edg_buffer", "\x60\x00\x01\x7f", "() -> i32"},
		{"edg_capacity", "\x60\x00\x01\x7f", "() -> i32"},
		{"edg_handle", "\x60\x01\x7f\x01\x7f", "(i32) -> i32"},
	} {
		e, ok := m.exports[f.name]
		if !ok || e.kind != kindFunction || int(e.index) >= len(m.funcs) {
			return fmt.Errorf("module exports no function %q (edg_handler.h gives it)", f.name)
		}
		if m.types[m.funcs[e.index]].signature != f.signature {
			return fmt.Errorf("%q is not %s", f.name, f.text)
		}
	}
	return nil
}

// guarded returns the module with an empty loop at the entry of each function, and without custom
// sections. The engine looks at the deadline at loop headers only; functions that call each other
// twice over would run for ages without passing one.
func (m *module) guarded() []byte {
	check := []byte{0x03, 0x40, 0x0b} // loop (no result) end
	out := []byte("\x00asm\x01\x00\x00\x00")
	for _, s := range m.sections {
		content := s.content
		if s.id == sectionCode {
			content = binary.AppendUvarint(nil, uint64(len(m.bodies)))
			for _, b := range m.bodies {
				content = binary.AppendUvarint(content, uint64(len(b.locals)+len(check)+len(b.code)))
				content = append(content, b.locals...)
				content = append(content, check...)
				content = append(content, b.code...)
			}
		}
		out = append(out, s.id)
		out = binary.AppendUvarint(out, uint64(len(content)))
		out = append(out, content...)
	}
	return out
}

// reader takes bytes from the front. After the first error it gives zeros.
type reader struct {
	b   []byte
	err error
}

var errTruncated = errors.New("module is truncated or malformed")

func (r *reader) more() bool { return r.err == nil && len(r.b) > 0 }

func (r *reader) take(n uint32) []byte {
	if r.err != nil || uint64(n) > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	t := r.b[:n]
	r.b = r.b[n:]
	return t
}

func (r *reader) fail() {
	if r.err == nil {
		r.err = errTruncated
	}
	r.b = nil
}

func (r *reader) byte() byte {
	if t := r.take(1); t != nil {
		return t[0]
	}
	return 0
}

// u32 reads an unsigned LEB128 of at most 5 bytes.
func (r *reader) u32() uint32 {
	var v uint64
	for shift := 0; shift < 35; shift += 7 {
		c := r.byte()
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			if v > 1<<32-1 {
				r.fail()
				return 0
			}
			return uint32(v)
		}
	}
	r.fail()
	return 0
}

// skipLEB passes over a LEB128 of at most n bytes.
func (r *reader) skipLEB(n int) {
	for range n {
		if r.byte() < 0x80 {
			return
		}
	}
	r.fail()
}

// limits reads the limits of a memory or table and returns the least size. Flags of later proposals
// get errors that name them.
func (r *reader) limits(of string) (least uint32, err error) {
	flag := r.byte()
	switch {
	case r.err != nil || flag > 7:
		r.fail()
		return 0, r.err
	case flag&4 != 0:
		return 0, fmt.Errorf("64-bit %s (the memory64 proposal) is not of WebAssembly 1.0: compile for wasm32 with -mcpu=mvp", of)
	case flag&2 != 0:
		return 0, fmt.Errorf("shared %s (threads) is not of WebAssembly 1.0: compile without -pthread, with -mcpu=mvp", of)
	}
	least = r.u32()
	if flag == 1 {
		r.u32()
	}
	return least, r.err
}

// constant passes over an initialiser.
func (r *reader) constant() {
	switch r.byte() {
	case 0x41:
		r.skipLEB(5)
	case 0x42:
		r.skipLEB(10)
	case 0x43:
		r.take(4)
	case 0x44:
		r.take(8)
	case 0x23:
		r.u32()
	default:
		r.fail()
	}
	if r.byte() != 0x0b {
		r.fail()
	}
}

func (r *reader) end(id byte) error {
	if r.err != nil {
		return r.err
	}
	if len(r.b) > 0 {
		return fmt.Errorf("section %d is longer than its content", id)
	}
	return nil
}
