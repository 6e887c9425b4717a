package phrase

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
)

// Wish is what a person asks for, in words; Spec makes a frame of it. Names are those of logs and functions; "temp*"
// is every name that starts so, "*" every name. Everything that is empty asks for nothing.
type Wish struct {
	Read   []string // logs to read
	Tail   []string // logs to read and to observe
	Append []string // logs to append to
	Call   []string // functions to call
	Time   bool     // set the time
	Manage bool     // manage generations

	Arg     string // bounds the argument of every Call: "0..30", "u16:0..300", "i16le:-5..5@2"
	Entries string // bounds the entries of every Read and Tail: "1..100"

	From  time.Time         // not before
	Until time.Time         // expiry
	Lease *capability.Lease // ends by the device's own timer
	Hold  time.Duration     // requests act at most so long after they were made

	Count    int               // at most so many requests, 1..255, counted in Cell, which the owner must reserve for it
	Cell     uint8             // of the device, 0..3
	Rate     string            // "3/10m": 3 at once, then one every 10 minutes
	Depth    *uint8            // at most so many frames follow
	Audience string            // the ID of the one peer that may ask: 12D3KooW...
	Also     string            // another capability must prove the request too: "4", one of branch 4; "4:c0ffee01", the one with that nonce
	Guard    *capability.Limit // what Capability.ThirdParty makes for the capability that is narrowed
	Program  []byte            // the body of a WebAssembly function (docs/spec/program.md)
}

// Spec returns the frame. Limits come first, then one grant a name and kind.
func (w Wish) Spec() (capability.FrameSpec, error) {
	var s capability.FrameSpec
	var err error
	if s.Limits, err = w.limits(); err != nil {
		return capability.FrameSpec{}, err
	}
	var bounds, entries []capability.Limit
	if w.Arg != "" {
		if len(w.Call) == 0 {
			return capability.FrameSpec{}, fmt.Errorf("argument %q bounds nothing: name a function to call", w.Arg)
		}
		b, err := ParseBound(w.Arg)
		if err != nil {
			return capability.FrameSpec{}, err
		}
		bounds = []capability.Limit{{Type: capability.TypeBound, Bound: b}}
	}
	if w.Entries != "" {
		if len(w.Read)+len(w.Tail) == 0 {
			return capability.FrameSpec{}, fmt.Errorf("entries %q bound nothing: name a log to read", w.Entries)
		}
		r, err := parseEntries(w.Entries)
		if err != nil {
			return capability.FrameSpec{}, err
		}
		entries = []capability.Limit{{Type: capability.TypeSequence, Sequence: r}}
	}
	for _, part := range []struct {
		names []string
		ops   capability.Operations
		parts []capability.Limit
	}{{w.Tail, capability.Read | capability.Observe, entries}, {w.Read, capability.Read, entries}, {w.Append, capability.Append, nil}, {w.Call, capability.Call, bounds}} {
		for _, name := range part.names {
			g, err := parseGrantName(name)
			if err != nil {
				return capability.FrameSpec{}, err
			}
			g.Operations, g.Parts = part.ops, part.parts
			s.Grants = append(s.Grants, g)
		}
	}
	var alone capability.Operations
	if w.Time {
		alone |= capability.Time
	}
	if w.Manage {
		alone |= capability.Manage
	}
	if alone != 0 {
		s.Grants = append(s.Grants, capability.Grant{Operations: alone})
	}
	return s, nil
}

func parseGrantName(text string) (capability.Grant, error) {
	name, prefix := strings.CutSuffix(text, "*")
	if prefix && name == "" {
		return capability.Grant{Prefix: true}, nil
	}
	if err := edgeistry.CheckName(name); err != nil {
		return capability.Grant{}, err
	}
	return capability.Grant{Name: name, Prefix: prefix}, nil
}

// ParseBound reads "MIN..MAX", or one number for both. In front may stand the field's type, "u8:", "i16:", "u32le:", which
// manifests use too (u8 if there is none), and behind "@N" the byte in the payload where it begins.
func ParseBound(text string) (capability.Bound, error) {
	fail := func(why string) (capability.Bound, error) {
		return capability.Bound{}, fmt.Errorf("argument %.60q: %s (like 0..30, u16:0..300, i16le:-5..5@2)", text, why)
	}
	b := capability.Bound{Width: 1}
	rest := text
	if kind, after, found := strings.Cut(text, ":"); found {
		kind, b.LittleEndian = strings.CutSuffix(kind, "le")
		switch kind {
		case "u8", "i8":
		case "u16", "i16":
			b.Width = 2
		case "u32", "i32":
			b.Width = 4
		default:
			return fail("unknown type")
		}
		b.Signed = kind[0] == 'i'
		rest = after
	}
	rest, offset, found := strings.Cut(rest, "@")
	if found {
		n, err := strconv.ParseUint(offset, 10, 8)
		if err != nil {
			return fail("a field begins at byte 0 to 255")
		}
		b.Offset = uint8(n)
	}
	low, high, found := strings.Cut(rest, "..")
	if !found {
		high = low
	}
	var err error
	if b.Min, err = strconv.ParseInt(low, 10, 64); err != nil {
		return fail("not a range of numbers")
	}
	if b.Max, err = strconv.ParseInt(high, 10, 64); err != nil {
		return fail("not a range of numbers")
	}
	if err := b.Check(); err != nil {
		return fail(err.Error())
	}
	return b, nil
}

func parseEntries(text string) (capability.Sequence, error) {
	low, high, found := strings.Cut(text, "..")
	if !found {
		high = low
	}
	from, ok := decimal(low)
	to, ok2 := decimal(high)
	if high == "" && found { // "41.." is all from there
		to, ok2 = math.MaxUint32, true
	}
	if !ok || !ok2 || from > to {
		return capability.Sequence{}, fmt.Errorf("entries %.60q are no range (like 1..100, or 41.. for all from there)", text)
	}
	return capability.Sequence{From: from, To: to}, nil
}

// decimal reads a number of 32 bits in its one form: digits only, no zero in front.
func decimal(text string) (uint32, bool) {
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err == nil && strconv.FormatUint(n, 10) == text
}
