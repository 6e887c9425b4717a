package logstore

import (
	"encoding/binary"
	"time"

	"github.com/edgeistry/edgeistry"
)

// Limits of an entry.
const (
	MaxPayload  = 65_000 // bytes of a payload: with its place and hash it fits an answer of 65,535 bytes
	MaxProducer = 64     // bytes of a producer's name
)

// Entry is one element of a log.
type Entry struct {
	Place       edgeistry.Place
	Prev        edgeistry.Hash // chain hash before it
	Hash        edgeistry.Hash // chain hash with it
	Stored      time.Time      // when this store got it, to the millisecond
	Gap         bool           // entries just before it are missing: the source had overwritten them
	Producer    string         // who appended it; empty: not said
	ProducerSeq uint64
	Payload     []byte
}

// An entry's body:
//
//	incarnation u32 | sequence u32 | previous hash (16) | hash (16) | stored, unix ms i64 | flags u8 |
//	u8 length, producer | producer sequence u64 | u16 length, payload

const (
	entryFixed = 4 + 4 + 2*edgeistry.HashSize + 8 + 1 + 1 + 8 + 2
	flagGap    = 1
)

// encodeEntry returns the value of e under key. Lengths were checked when the entry was taken in.
func encodeEntry(key string, e *Entry) []byte {
	b := make([]byte, 0, valueOverhead+entryFixed+len(e.Producer)+len(e.Payload))
	b = append(b, valueVersion)
	b = binary.BigEndian.AppendUint32(b, e.Place.Incarnation)
	b = binary.BigEndian.AppendUint32(b, e.Place.Sequence)
	b = append(b, e.Prev[:]...)
	b = append(b, e.Hash[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Stored.UnixMilli()))
	var flags byte
	if e.Gap {
		flags |= flagGap
	}
	b = append(b, flags, byte(len(e.Producer)))
	b = append(b, e.Producer...)
	b = binary.BigEndian.AppendUint64(b, e.ProducerSeq)
	b = binary.BigEndian.AppendUint16(b, uint16(len(e.Payload)))
	b = append(b, e.Payload...)
	return seal(key, b)
}

// decodeEntry reads what encodeEntry wrote and checks its form and checksum, not its hash. The
// payload is part of value.
func decodeEntry(key string, value []byte) (Entry, error) {
	b, err := unseal(key, value)
	if err != nil {
		return Entry{}, err
	}
	if len(b) < entryFixed {
		return Entry{}, errShort
	}
	var e Entry
	e.Place.Incarnation = binary.BigEndian.Uint32(b)
	e.Place.Sequence = binary.BigEndian.Uint32(b[4:])
	b = b[8:]
	b = b[copy(e.Prev[:], b):]
	b = b[copy(e.Hash[:], b):]
	e.Stored = time.UnixMilli(int64(binary.BigEndian.Uint64(b)))
	flags, producer := b[8], int(b[9])
	b = b[10:]
	if flags&^byte(flagGap) != 0 {
		return Entry{}, errVersion
	}
	e.Gap = flags&flagGap != 0
	if producer > MaxProducer || len(b) < producer+8+2 {
		return Entry{}, errLength
	}
	e.Producer, b = string(b[:producer]), b[producer:]
	e.ProducerSeq = binary.BigEndian.Uint64(b)
	if len(b[10:]) != int(binary.BigEndian.Uint16(b[8:])) {
		return Entry{}, errLength
	}
	e.Payload = b[10:]
	return e, nil
}
