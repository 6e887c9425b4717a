package main

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/phrase"
	"github.com/edgeistry/edgeistry/capability/program"
)

// wishLimits reads the flags that need checks of their own.
func (c *cli) wishLimits(cmd *cobra.Command, w *wishFlags, wish *phrase.Wish) error {
	isSet := cmd.Flags().Changed
	if isSet("times") {
		if w.times < 1 || w.times > math.MaxUint8 {
			return usagef("--times %d is not within 1..255", w.times)
		}
		if wish.Count != 0 {
			return usagef("--times and \"%d times\" exclude each other", wish.Count)
		}
		wish.Count = w.times
	}
	if wish.Count != 0 {
		if w.cell < 0 || w.cell >= capability.MaxCells {
			return usagef("--cell %d is not within 0..%d", w.cell, capability.MaxCells-1)
		}
		wish.Cell = uint8(w.cell)
	} else if isSet("cell") {
		return usagef("--cell needs --times: it says where they are counted")
	}
	if isSet("depth") {
		if w.depth < 0 || w.depth >= capability.MaxFrames {
			return usagef("--depth %d is not within 0..%d: a capability has at most %d frames", w.depth, capability.MaxFrames-1, capability.MaxFrames)
		}
		depth := uint8(w.depth)
		wish.Depth = &depth
	}
	if w.rate != "" {
		if _, err := phrase.ParseRate(w.rate); err != nil {
			return usagef("--rate: %w", err)
		}
		wish.Rate = w.rate
	}
	if w.audience != "" {
		if _, err := edgeistry.ParsePeerKey(w.audience); err != nil {
			return usagef("--audience: %w", err)
		}
		wish.Audience = w.audience
	}
	wish.Also = w.also
	if w.program != "" {
		body, err := programBody(w.program)
		var unread *failure
		if errors.As(err, &unread) {
			return err
		}
		if err != nil {
			return usagef("--program: %w", err)
		}
		wish.Program = body
	}
	return nil
}

// demandGuard makes the limit of --guard, for the next frame of lock.
func (c *cli) demandGuard(w *wishFlags, lock *capability.Capability) (capability.Limit, error) {
	guard, err := c.token(w.guard)
	if err != nil {
		return capability.Limit{}, err
	}
	limit, err := lock.ThirdParty(rand.Reader, guard)
	if err != nil {
		return capability.Limit{}, failedf("%w", err)
	}
	return limit, nil
}

// programParameters is the type of the function that a PROGRAM is the body of: nine i32, and i32 as its result (docs/spec/program.md).
const programParameters = 9

const maxProgramFile = 4 << 10 // a body of 46 bytes, and what compilers put around it

// programBody reads the body of a policy: in hexadecimal, or out of a module that has just that one function.
func programBody(text string) ([]byte, error) {
	if filepath.Ext(text) != ".wasm" {
		body, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
		if err != nil {
			return nil, fmt.Errorf("%.40q is neither FILE.wasm nor hexadecimal", text)
		}
		return checkBody(body)
	}
	raw, err := readBounded(text, nil, maxProgramFile)
	if err != nil {
		return nil, err
	}
	body, err := moduleBody(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", text, err)
	}
	return checkBody(body)
}

func checkBody(body []byte) ([]byte, error) {
	if len(body) < 2 || len(body) > 46 {
		return nil, fmt.Errorf("a body of %d bytes; a frame has room for 2 to 46", len(body))
	}
	if err := program.Check(body); err != nil {
		return nil, err
	}
	return body, nil
}

var (
	errModule       = errors.New("no WebAssembly module of version 1")
	errModuleLength = errors.New("a section is cut short")
)

// Sections of a module (WebAssembly 1.0, 5.5) that matter here.
const (
	sectionCustom   = 0
	sectionType     = 1
	sectionImport   = 2
	sectionFunction = 3
	sectionCode     = 10
)

// moduleBody takes the body out of a module with exactly one function, of the type of a policy. What else the module has (a memory that
// it declares or imports, exports, names) stays behind: a policy always has the one memory of its verifier.
func moduleBody(raw []byte) ([]byte, error) {
	magic := []byte{0, 'a', 's', 'm', 1, 0, 0, 0}
	rest, ok := bytes.CutPrefix(raw, magic)
	if !ok {
		return nil, errModule
	}
	sections := map[byte][]byte{}
	for len(rest) > 0 {
		id := rest[0]
		size, n := binary.Uvarint(rest[1:])
		if n <= 0 || size > uint64(len(rest)-1-n) {
			return nil, errModuleLength
		}
		if id != sectionCustom {
			sections[id] = rest[1+n : 1+n+int(size)]
		}
		rest = rest[1+n+int(size):]
	}
	if err := oneMemory(sections[sectionImport]); err != nil {
		return nil, err
	}
	want := append([]byte{0x60, programParameters}, bytes.Repeat([]byte{0x7f}, programParameters)...)
	want = append(want, 1, 0x7f)
	if types := sections[sectionType]; len(types) != 1+len(want) || types[0] != 1 || !bytes.Equal(types[1:], want) {
		return nil, fmt.Errorf("the only type must be that of a policy: %d i32 parameters, an i32 result", programParameters)
	}
	if !bytes.Equal(sections[sectionFunction], []byte{1, 0}) {
		return nil, errors.New("it must have exactly one function")
	}
	code := sections[sectionCode]
	if len(code) < 2 || code[0] != 1 {
		return nil, errModuleLength
	}
	size, n := binary.Uvarint(code[1:])
	if n <= 0 || size != uint64(len(code)-1-n) {
		return nil, errModuleLength
	}
	return code[1+n:], nil
}

// oneMemory lets a module import a memory and nothing else: an imported function would shift the numbers of calls.
func oneMemory(imports []byte) error {
	if len(imports) == 0 {
		return nil
	}
	bad := errors.New("it may import one memory and nothing else")
	count, n := binary.Uvarint(imports)
	if n <= 0 || count != 1 {
		return bad
	}
	rest := imports[n:]
	for range 2 { // names of module and field
		size, n := binary.Uvarint(rest)
		if n <= 0 || size > uint64(len(rest)-n) {
			return bad
		}
		rest = rest[n+int(size):]
	}
	if len(rest) == 0 || rest[0] != 2 {
		return bad
	}
	return nil
}
