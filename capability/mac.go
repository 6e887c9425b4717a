package capability

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding"
	"encoding/binary"
	"hash"
	"slices"
	"sync"
)

const (
	blockSize = sha256.BlockSize
	innerPad  = 0x36
	outerPad  = 0x5c

	// A SHA-256 as crypto/sha256 writes it: magic (4) | state (32) | what is not a whole block yet (64) | length u64.
	stateSize  = 108
	stateMagic = 4
)

// mac computes HMAC-SHA256 (RFC 2104) in room of its own: crypto/hmac allocates for each key, and a verifier has a key for every
// frame. Whatever goes through the hash is copied here first, so that nothing of the caller's moves to the heap.
//
// It pads what it hashes itself. So the hash is given whole blocks only, and its state after the last one is the sum: Sum would copy the
// hash and pad the copy, which takes as long as a compression.
type mac struct {
	hash interface {
		hash.Hash
		encoding.BinaryAppender
		encoding.BinaryUnmarshaler
	}
	input []byte // what is to be hashed
	state []byte // the hash's
}

var macs = sync.Pool{New: func() any {
	m := &mac{state: make([]byte, 0, stateSize), input: make([]byte, 0, 512)}
	m.hash = sha256.New().(interface {
		hash.Hash
		encoding.BinaryAppender
		encoding.BinaryUnmarshaler
	})
	return m
}}

// release gives the room back without what went through it.
func (m *mac) release() {
	m.hash.Reset()
	clear(m.input)
	clear(m.state)
	macs.Put(m)
}

// keyed begins the input with a padded key. No key here is longer than a block.
func (m *mac) keyed(key []byte, pad byte) {
	m.input = m.input[:blockSize]
	for i := range m.input {
		m.input[i] = pad
	}
	subtle.XORBytes(m.input, m.input, key)
}

// sum hashes the input behind so many bytes that the hash has taken already, whole blocks of them.
func (m *mac) sum(before int) [keySize]byte {
	n := len(m.input)
	end := (n + 1 + 8 + blockSize - 1) &^ (blockSize - 1)
	m.input = slices.Grow(m.input, end-n)[:end]
	clear(m.input[n:])
	m.input[n] = 0x80
	binary.BigEndian.PutUint64(m.input[end-8:], uint64(before+n)*8)
	m.hash.Write(m.input)
	m.save()
	return [keySize]byte(m.state[stateMagic:])
}

func (m *mac) save() {
	var err error
	if m.state, err = m.hash.AppendBinary(m.state[:0]); err != nil || len(m.state) != stateSize {
		panic("capability: crypto/sha256 writes its state in another form") // cannot happen: the form is kept
	}
}

func (m *mac) load(from *[stateSize]byte) {
	if m.hash.UnmarshalBinary(from[:]) != nil {
		panic("capability: crypto/sha256 does not read what it wrote") // cannot happen
	}
}

// derive is H(key, input).
func derive(key, input []byte) [keySize]byte {
	m := macs.Get().(*mac)
	defer m.release()
	m.keyed(key, innerPad)
	m.input = append(m.input, input...)
	inner := m.sum(0)
	m.hash.Reset()
	m.keyed(key, outerPad)
	m.input = append(m.input, inner[:]...)
	return m.sum(0)
}

// midstate is a key padded and hashed: an HMAC costs two compressions from there instead of four.
type midstate struct{ inner, outer [stateSize]byte }

func newMidstate(key *[keySize]byte) (s midstate) {
	m := macs.Get().(*mac)
	defer m.release()
	for _, half := range []struct {
		pad byte
		to  *[stateSize]byte
	}{{innerPad, &s.inner}, {outerPad, &s.outer}} {
		m.keyed(key[:], half.pad)
		m.hash.Reset()
		m.hash.Write(m.input)
		m.save()
		copy(half.to[:], m.state)
	}
	return s
}

// sumInput gives H(key, m.input).
func (m *mac) sumInput(s *midstate) [keySize]byte {
	m.load(&s.inner)
	inner := m.sum(blockSize)
	m.load(&s.outer)
	m.input = append(m.input[:0], inner[:]...)
	return m.sum(blockSize)
}
