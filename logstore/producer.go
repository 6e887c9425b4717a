package logstore

import (
	"encoding/binary"

	"github.com/edgeistry/edgeistry"
)

// mark is the newest append of one producer to one log: what makes a retry give the receipt of the
// first.
//
// Body: producer sequence u64 | incarnation u32 | sequence u32 | previous hash (16) | hash (16).
type mark struct {
	seq     uint64
	receipt Receipt
	prev    edgeistry.Hash // with it the retry's payload is checked against the receipt
}

const markSize = 8 + 4 + 4 + 2*edgeistry.HashSize

func encodeMark(key string, m mark) []byte {
	b := append(make([]byte, 0, valueOverhead+markSize), valueVersion)
	b = binary.BigEndian.AppendUint64(b, m.seq)
	b = binary.BigEndian.AppendUint32(b, m.receipt.Place.Incarnation)
	b = binary.BigEndian.AppendUint32(b, m.receipt.Place.Sequence)
	b = append(b, m.prev[:]...)
	b = append(b, m.receipt.Hash[:]...)
	return seal(key, b)
}

func decodeMark(key string, value []byte) (mark, error) {
	b, err := unseal(key, value)
	if err != nil {
		return mark{}, err
	}
	if len(b) != markSize {
		return mark{}, errLength
	}
	m := mark{seq: binary.BigEndian.Uint64(b)}
	m.receipt.Place.Incarnation = binary.BigEndian.Uint32(b[8:])
	m.receipt.Place.Sequence = binary.BigEndian.Uint32(b[12:])
	m.prev = edgeistry.Hash(b[16:32])
	m.receipt.Hash = edgeistry.Hash(b[32:48])
	return m, nil
}

// marks caches the newest appends of producers, at most limit of them; all are on disk. Only the
// committer uses it.
type marks struct {
	limit int
	byKey map[string]mark
}

func (c *marks) put(key string, m mark) {
	if _, ok := c.byKey[key]; !ok && len(c.byKey) >= c.limit {
		for other := range c.byKey { // any one: the map's order is random enough for a cache
			delete(c.byKey, other)
			break
		}
	}
	c.byKey[key] = m
}
