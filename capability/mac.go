package capability

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding"
	"hash"
	"sync"
)

const (
	blockSize = sha256.BlockSize
	innerPad  = 0x36
	outerPad  = 0x5c
	stateSize = 108 // of a SHA-256, as crypto/sha256 writes it
)

// mac computes HMAC-SHA256 (RFC 2104) in room of its own: crypto/hmac allocates for each key, and a verifier has a key for every
// frame. Whatever goes through the hash is copied here first, so that nothing of the caller's moves to the heap.
type mac struct {
	hash interface {
		hash.Hash
		encoding.BinaryAppender
		encoding.BinaryUnmarshaler
	}
	block [blockSize]byte
	state []byte
	input []byte
	sum   [keySize]byte
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
	clear(m.block[:])
	clear(m.sum[:])
	clear(m.input)
	macs.Put(m)
}

// begin starts a hash with a padded key. No key here is longer than a block.
func (m *mac) begin(key []byte, pad byte) {
	for i := range m.block {
		m.block[i] = pad
	}
	subtle.XORBytes(m.block[:], m.block[:], key)
	m.hash.Reset()
	m.hash.Write(m.block[:])
}

func (m *mac) finish() [keySize]byte {
	m.hash.Write(m.sum[:])
	m.hash.Sum(m.sum[:0])
	return m.sum
}

// derive is H(key, input). Two calls of Sum256 are faster than the parts of a hash, and leave everything on the stack.
func derive(key, input []byte) [keySize]byte {
	var room [3 * blockSize]byte // what is longer goes to the heap
	b := append(padded(&room, key, innerPad), input...)
	inner := sha256.Sum256(b)
	return sha256.Sum256(append(padded(&room, key, outerPad), inner[:]...))
}

func padded(room *[3 * blockSize]byte, key []byte, pad byte) []byte {
	for i := range blockSize {
		room[i] = pad
	}
	subtle.XORBytes(room[:blockSize], room[:blockSize], key)
	return room[:blockSize]
}

// midstate is a key padded and hashed: an HMAC costs two compressions from there instead of four.
type midstate struct{ inner, outer [stateSize]byte }

func newMidstate(key *[keySize]byte) (s midstate) {
	m := macs.Get().(*mac)
	defer m.release()
	m.begin(key[:], innerPad)
	m.save(&s.inner)
	m.begin(key[:], outerPad)
	m.save(&s.outer)
	return s
}

func (m *mac) save(to *[stateSize]byte) {
	state, err := m.hash.AppendBinary(m.state[:0])
	if err != nil || copy(to[:], state) != stateSize {
		panic("capability: crypto/sha256 writes its state in another form") // cannot happen: the form is kept
	}
}

func (m *mac) load(from *[stateSize]byte) {
	m.state = append(m.state[:0], from[:]...)
	if m.hash.UnmarshalBinary(m.state) != nil {
		panic("capability: crypto/sha256 does not read what it wrote") // cannot happen
	}
}

// sumInput gives H(key, m.input).
func (m *mac) sumInput(s *midstate) [keySize]byte {
	m.load(&s.inner)
	m.hash.Write(m.input)
	m.hash.Sum(m.sum[:0])
	m.load(&s.outer)
	return m.finish()
}
