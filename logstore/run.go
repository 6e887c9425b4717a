package logstore

import (
	"encoding/binary"

	"github.com/edgeistry/edgeistry"
)

// run is a stretch of a log with nothing missing in it, in one incarnation. A gap or a new
// incarnation starts the next one. Runs are numbered by ordinals from 0 and ascend by place, so
// that a place is found by binary search.
type run struct {
	incarnation uint32
	first, last uint32         // sequences; last 0: no entry yet
	hash        edgeistry.Hash // chain hash of last
}

func (r run) end() edgeistry.Place {
	return edgeistry.Place{Incarnation: r.incarnation, Sequence: r.last}
}

// tail is all that appending needs to know of a log: its newest run and what Head says. It is the
// head record.
type tail struct {
	run
	ordinal  uint32 // of the newest run
	oldest   uint32 // first sequence kept of this incarnation
	mirrored bool   // written by Mirror
}

func (t tail) empty() bool { return t.last == 0 }

func (t tail) head() edgeistry.Head {
	return edgeistry.Head{Place: t.end(), Oldest: t.oldest, Hash: t.hash}
}

// A closed run's body: incarnation u32 | first u32 | last u32 | hash (16).
// A head's body: flags u8 | ordinal u32 | oldest u32 | the newest run as above.

const (
	runSize      = 4 + 4 + 4 + edgeistry.HashSize
	tailSize     = 1 + 4 + 4 + runSize
	flagMirrored = 1
)

func appendRun(b []byte, r run) []byte {
	b = binary.BigEndian.AppendUint32(b, r.incarnation)
	b = binary.BigEndian.AppendUint32(b, r.first)
	b = binary.BigEndian.AppendUint32(b, r.last)
	return append(b, r.hash[:]...)
}

func readRun(b []byte) (run, error) {
	r := run{
		incarnation: binary.BigEndian.Uint32(b),
		first:       binary.BigEndian.Uint32(b[4:]),
		last:        binary.BigEndian.Uint32(b[8:]),
		hash:        edgeistry.Hash(b[12:runSize]),
	}
	if r.incarnation == 0 || r.first == 0 || r.last < r.first {
		return run{}, errLength
	}
	return r, nil
}

func encodeRun(key string, r run) []byte {
	return seal(key, appendRun(append(make([]byte, 0, valueOverhead+runSize), valueVersion), r))
}

func decodeRun(key string, value []byte) (run, error) {
	b, err := unseal(key, value)
	if err != nil {
		return run{}, err
	}
	if len(b) != runSize {
		return run{}, errLength
	}
	return readRun(b)
}

func encodeTail(key string, t tail) []byte {
	b := make([]byte, 0, valueOverhead+tailSize)
	var flags byte
	if t.mirrored {
		flags |= flagMirrored
	}
	b = append(b, valueVersion, flags)
	b = binary.BigEndian.AppendUint32(b, t.ordinal)
	b = binary.BigEndian.AppendUint32(b, t.oldest)
	return seal(key, appendRun(b, t.run))
}

func decodeTail(key string, value []byte) (tail, error) {
	b, err := unseal(key, value)
	if err != nil {
		return tail{}, err
	}
	if len(b) != tailSize {
		return tail{}, errLength
	}
	if b[0]&^byte(flagMirrored) != 0 {
		return tail{}, errVersion
	}
	t := tail{
		mirrored: b[0]&flagMirrored != 0,
		ordinal:  binary.BigEndian.Uint32(b[1:]),
		oldest:   binary.BigEndian.Uint32(b[5:]),
	}
	if t.run, err = readRun(b[9:]); err != nil {
		return tail{}, err
	}
	if t.oldest == 0 || t.oldest > t.first {
		return tail{}, errLength
	}
	return t, nil
}

// before orders places.
func before(a, b edgeistry.Place) bool {
	if a.Incarnation != b.Incarnation {
		return a.Incarnation < b.Incarnation
	}
	return a.Sequence < b.Sequence
}

// following is the least place after p.
func following(p edgeistry.Place) edgeistry.Place {
	if p.Sequence++; p.Sequence == 0 {
		p.Incarnation++
	}
	return p
}
