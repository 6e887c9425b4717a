package coap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/edgeistry/edgeistry"
)

// headSize is the length of an encoded head in bytes, rangeHead that of a range without entries.
const (
	headSize  = 28
	rangeHead = 24
)

// Errors of payloads.
var (
	errHead  = errors.New("malformed log head")
	errRange = errors.New("malformed log range")
)

// EncodeHead returns the payload of GET /l/NAME: incarnation u32 | sequence u32 | oldest kept u32 | hash (16).
func EncodeHead(h edgeistry.Head) []byte {
	b := make([]byte, 0, headSize)
	b = binary.BigEndian.AppendUint32(b, h.Incarnation)
	b = binary.BigEndian.AppendUint32(b, h.Sequence)
	b = binary.BigEndian.AppendUint32(b, h.Oldest)
	return append(b, h.Hash[:]...)
}

// DecodeHead reads what EncodeHead gives.
func DecodeHead(b []byte) (edgeistry.Head, error) {
	if len(b) != headSize {
		return edgeistry.Head{}, fmt.Errorf("%w: %d bytes, want %d", errHead, len(b), headSize)
	}
	return edgeistry.Head{
		Place:  edgeistry.Place{Incarnation: binary.BigEndian.Uint32(b), Sequence: binary.BigEndian.Uint32(b[4:])},
		Oldest: binary.BigEndian.Uint32(b[8:]),
		Hash:   edgeistry.Hash(b[12:]),
	}, nil
}

// Range is a run of entries of one incarnation. Without entries, First is the next sequence and Previous the head's hash.
type Range struct {
	Incarnation uint32
	First       uint32         // sequence of the first entry
	Previous    edgeistry.Hash // hash of the entry before it
	Entries     [][]byte
}

// EncodeRange returns the payload of a range read:
//
//	incarnation u32 | first sequence u32 | previous hash (16) | entries: u16 length | payload
func EncodeRange(r Range) ([]byte, error) {
	if uint64(r.First)+uint64(len(r.Entries)) > math.MaxUint32+1 {
		return nil, fmt.Errorf("%w: sequence beyond 32 bits", errRange)
	}
	b := make([]byte, 0, rangeHead+rangeSize(r.Entries))
	b = binary.BigEndian.AppendUint32(b, r.Incarnation)
	b = binary.BigEndian.AppendUint32(b, r.First)
	b = append(b, r.Previous[:]...)
	for _, e := range r.Entries {
		if len(e) > math.MaxUint16 {
			return nil, fmt.Errorf("%w: entry of %d bytes", errRange, len(e))
		}
		b = binary.BigEndian.AppendUint16(b, uint16(len(e)))
		b = append(b, e...)
	}
	return b, nil
}

// rangeSize returns the bytes that entries take in a range, for who must stop at what fits; the
// rest of a range is 24 bytes.
func rangeSize(entries [][]byte) int {
	n := 0
	for _, e := range entries {
		n += 2 + len(e)
	}
	return n
}

// DecodeRange reads what EncodeRange gives. The entries share b's bytes.
func DecodeRange(b []byte) (Range, error) {
	if len(b) < rangeHead {
		return Range{}, fmt.Errorf("%w: %d bytes", errRange, len(b))
	}
	r := Range{
		Incarnation: binary.BigEndian.Uint32(b),
		First:       binary.BigEndian.Uint32(b[4:]),
		Previous:    edgeistry.Hash(b[8:rangeHead]),
	}
	for b = b[rangeHead:]; len(b) > 0; {
		if len(b) < 2 {
			return Range{}, fmt.Errorf("%w: cut short", errRange)
		}
		n := int(binary.BigEndian.Uint16(b))
		if b = b[2:]; n > len(b) {
			return Range{}, fmt.Errorf("%w: cut short", errRange)
		}
		r.Entries = append(r.Entries, b[:n:n])
		b = b[n:]
	}
	if uint64(r.First)+uint64(len(r.Entries)) > math.MaxUint32+1 {
		return Range{}, fmt.Errorf("%w: sequence beyond 32 bits", errRange)
	}
	return r, nil
}

// NewRequest builds a request; path as in SetPath.
func NewRequest(code uint8, path string, queries []string, payload []byte) (*Message, error) {
	m := &Message{Code: code, Payload: payload}
	if err := m.SetPath(path); err != nil {
		return nil, err
	}
	for _, q := range queries {
		m.Add(OptionURIQuery, []byte(q))
	}
	return m, nil
}
