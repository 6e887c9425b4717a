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
// frame. Whatever goes through the hash is copied here first, so that nothing of the caller's moves to the heap. It is for one at a
// time: a guard has one under its lock, others borrow one of macs.
//
// It pads what it hashes itself. So the hash is given whole blocks only, and its state after the last one is the sum: Sum would copy the
// hash and pad the copy, which takes as long as a compression.
type mac struct {
	hash interface {
		hash.Hash
		encoding.BinaryAppender
		encoding.BinaryUnmarshaler
	}
	input []byte          // what is to be hashed
	outer [outerSize]byte // what the outer hash takes: the padded key, the inner sum, the padding
	state [stateSize]byte // the hash's
}

const (
	outerSize = 2 * blockSize
	outerSum  = blockSize // where the inner sum stands
	outerEnd  = outerSum + keySize

	inputRoom    = 512
	maxInputKept = 4096
)

var macs = sync.Pool{New: func() any { return newMAC() }}

func newMAC() *mac {
	m := &mac{input: make([]byte, 0, inputRoom)}
	m.hash = sha256.New().(interface {
		hash.Hash
		encoding.BinaryAppender
		encoding.BinaryUnmarshaler
	})
	pad(m.outer[outerEnd:], outerEnd)
	return m
}

// release returns to the pool what macs lent.
func (m *mac) release() {
	m.wipe()
	macs.Put(m)
}

// wipe leaves nothing of what went through it, and of the room for a long message no more than for others.
func (m *mac) wipe() {
	m.hash.Reset()
	clear(m.input)
	if cap(m.input) > maxInputKept {
		m.input = make([]byte, 0, inputRoom)
	}
	clear(m.outer[:outerEnd])
	clear(m.state[:])
}

// keyed fills a block with a padded key. No key here is longer than a block.
func keyed(block, key []byte, pad byte) {
	for i := range block {
		block[i] = pad
	}
	subtle.XORBytes(block, block, key)
}

// pad ends what is hashed: FIPS 180-4, 5.1.1. The room is zero and reaches to the end of a block.
func pad(room []byte, hashed int) {
	room[0] = 0x80
	binary.BigEndian.PutUint64(room[len(room)-8:], uint64(hashed)*8)
}

// padInput pads the input, which stands behind so many bytes that the hash has taken already, whole blocks of them.
func (m *mac) padInput(before int) {
	n := len(m.input)
	end := (n + 1 + 8 + blockSize - 1) &^ (blockSize - 1)
	m.input = slices.Grow(m.input, end-n)[:end]
	clear(m.input[n:])
	pad(m.input[n:], before+n)
}

// sum returns what the hash has come to. It is the mac's own, and stays until the next.
func (m *mac) sum() *[keySize]byte {
	state, err := m.hash.AppendBinary(m.state[:0])
	if err != nil || len(state) != stateSize {
		panic("capability: crypto/sha256 writes its state in another form") // cannot happen: the form is kept
	}
	return (*[keySize]byte)(m.state[stateMagic:])
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
	m.input = append(m.input[:blockSize], input...)
	keyed(m.input[:blockSize], key, innerPad)
	m.padInput(0)
	m.hash.Write(m.input)
	keyed(m.outer[:outerSum], key, outerPad)
	copy(m.outer[outerSum:], m.sum()[:])
	m.hash.Reset()
	m.hash.Write(m.outer[:])
	return *m.sum()
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
		keyed(m.outer[:outerSum], key[:], half.pad)
		m.hash.Reset()
		m.hash.Write(m.outer[:outerSum])
		m.sum()
		*half.to = m.state
	}
	return s
}

// sumInput returns H(key, m.input), as sum does.
func (m *mac) sumInput(s *midstate) *[keySize]byte {
	m.padInput(blockSize)
	m.load(&s.inner)
	m.hash.Write(m.input)
	copy(m.outer[outerSum:], m.sum()[:])
	m.load(&s.outer)
	m.hash.Write(m.outer[outerSum:])
	return m.sum()
}
