package main

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxPayload bounds what --file and standard input may bring, in bytes; devices allow far less and say so themselves.
const maxPayload = 64 << 10

// field is how a manifest spells a number: u8, i16, u32, each big-endian unless "le" follows, then the allowed bounds:
// "u8:0..100", "i16le:-400..850".
type field struct {
	bytes        int
	signed       bool
	littleEndian bool
	min, max     int64
}

// parseField reads the spelling of a manifest.
func parseField(text string) (field, error) {
	kind, bounds, bounded := strings.Cut(text, ":")
	f := field{}
	kind, f.littleEndian = strings.CutSuffix(kind, "le")
	bits := 0
	switch kind {
	case "u8", "u16", "u32":
		bits, _ = strconv.Atoi(kind[1:])
		f.max = 1<<bits - 1
	case "i8", "i16", "i32":
		bits, _ = strconv.Atoi(kind[1:])
		f.signed = true
		f.min, f.max = -1<<(bits-1), 1<<(bits-1)-1
	default:
		return field{}, fmt.Errorf("argument kind %.20q is not one of u8 u16 u32 i8 i16 i32", text)
	}
	f.bytes = bits / 8
	if !bounded {
		return f, nil
	}
	low, high, ok := strings.Cut(bounds, "..")
	if !ok {
		return field{}, fmt.Errorf("bounds %.40q are not MIN..MAX", bounds)
	}
	minimum, err := strconv.ParseInt(low, 10, 64)
	if err != nil {
		return field{}, fmt.Errorf("bounds %.40q are not MIN..MAX", bounds)
	}
	maximum, err := strconv.ParseInt(high, 10, 64)
	if err != nil || minimum > maximum || minimum < f.min || maximum > f.max {
		return field{}, fmt.Errorf("bounds %.40q are not MIN..MAX of %s", bounds, kind)
	}
	f.min, f.max = minimum, maximum
	return f, nil
}

// encode writes a decimal number as the field's bytes. It checks that the number fits the width, not the manifest's
// bounds: what is allowed is the device's decision, and its denial is worth more than ours.
func (f field) encode(text string) ([]byte, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%.40q is not a whole number", text)
	}
	low, high := int64(0), int64(1)<<(8*f.bytes)-1
	if f.signed {
		low, high = -1<<(8*f.bytes-1), 1<<(8*f.bytes-1)-1
	}
	if n < low || n > high {
		return nil, fmt.Errorf("%d does not fit into %s (%d..%d)", n, one(f.bytes, "byte", "bytes"), low, high)
	}
	var b [8]byte
	if f.littleEndian {
		binary.LittleEndian.PutUint64(b[:], uint64(n))
		return b[:f.bytes], nil
	}
	binary.BigEndian.PutUint64(b[:], uint64(n))
	return b[8-f.bytes:], nil
}

// decode reads the field's bytes as a number; ok is false for another length.
func (f field) decode(raw []byte) (n int64, ok bool) {
	if len(raw) != f.bytes {
		return 0, false
	}
	var u uint64
	for i := range raw {
		b := raw[i]
		if f.littleEndian {
			b = raw[len(raw)-1-i]
		}
		u = u<<8 | uint64(b)
	}
	if f.signed {
		shift := 64 - 8*f.bytes
		return int64(u<<shift) >> shift, true
	}
	return int64(u), true
}

// payloadFlags are the ways to say what is sent.
type payloadFlags struct {
	hex, text, file string
}

const payloadHelp = `The argument is a decimal number, encoded as the service's manifest says (u8:0..100 is one byte). Other payloads:
--hex 01ff, --text hello, --file reading.bin (--file - reads standard input).`

// chosen counts the ways that were used.
func (p payloadFlags) chosen(isSet func(string) bool) (count int) {
	for _, name := range []string{"hex", "text", "file"} {
		if isSet(name) {
			count++
		}
	}
	return count
}

// bytes returns the payload of --hex, --text or --file; ok is false if none was used.
func (p payloadFlags) bytes(isSet func(string) bool, stdin io.Reader) (raw []byte, ok bool, err error) {
	switch {
	case isSet("hex"):
		raw, err = hex.DecodeString(strings.ReplaceAll(p.hex, " ", ""))
		if err != nil {
			return nil, false, usagef("--hex %.40q is not hexadecimal", p.hex)
		}
		return raw, true, nil
	case isSet("text"):
		return []byte(p.text), true, nil
	case isSet("file"):
		raw, err = readBounded(p.file, stdin, maxPayload)
		return raw, err == nil, err
	}
	return nil, false, nil
}

// readBounded reads a file, or standard input for "-", of at most limit bytes.
func readBounded(path string, stdin io.Reader, limit int) ([]byte, error) {
	in := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, notFoundf("read %s: %w", path, err)
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, int64(limit)+1))
	if err != nil {
		return nil, failedf("read %s: %w", path, err)
	}
	if len(raw) > limit {
		return nil, usagef("%s holds more than %d bytes", path, limit)
	}
	return raw, nil
}

// readable shows a payload. Those of 1, 2 and 4 bytes are most often readings, so the number stands beside the bytes.
// Nothing is made up: it is the big-endian unsigned one, and what else the bytes may mean stands beside it.
func readable(payload []byte) string {
	text := ""
	if printable(payload) {
		text = strconv.Quote(string(payload))
	}
	if strings.Contains(text, `\`) && len(payload) <= 4 {
		text = "" // so few bytes with a line break in them are a number
	}
	switch n := len(payload); {
	case n == 0:
		return "(empty)"
	case n == 1 || n == 2 || n == 4:
		unsigned, _ := field{bytes: n}.decode(payload)
		signed, _ := field{bytes: n, signed: true}.decode(payload)
		out := fmt.Sprintf("%x   %d", payload, unsigned)
		if signed != unsigned {
			out += fmt.Sprintf(" or %d", signed)
		}
		if text != "" {
			out += " or " + text
		}
		return out
	case text != "":
		return text
	}
	return hex.EncodeToString(payload)
}

func printable(payload []byte) bool {
	if !utf8.Valid(payload) {
		return false
	}
	for _, r := range string(payload) {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || !strconv.IsPrint(r) && r != '\n' && r != '\t' {
			return false
		}
	}
	return true
}

// clampU32 keeps flag values within the wire's numbers.
func clampU32(name string, n int64) (uint32, error) {
	if n < 0 || n > math.MaxUint32 {
		return 0, usagef("--%s %d is not within 0..%d", name, n, uint32(math.MaxUint32))
	}
	return uint32(n), nil
}
