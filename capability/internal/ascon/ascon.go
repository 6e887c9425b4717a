// Package ascon implements Ascon-AEAD128 of NIST SP 800-232 (2025). It is not the Ascon-128 of the competition, which takes
// its bytes in the other order, has another initial value and a rate of half the size.
package ascon

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

const (
	KeySize   = 16
	NonceSize = 16
	TagSize   = 16
	// MinTagSize is what the standard allows a tag to be truncated to (SP 800-232, 4.2.1).
	MinTagSize = 4

	rate = 16
)

var errOpen = errors.New("ascon: message authentication failed")

// AEAD is Ascon-AEAD128 under one key. No two messages may have the same nonce.
type AEAD struct {
	k0, k1  uint64
	tagSize int
}

var _ cipher.AEAD = (*AEAD)(nil)

// NewAEAD returns an AEAD with tags of TagSize bytes.
func NewAEAD(key [KeySize]byte) *AEAD {
	return &AEAD{
		k0:      binary.LittleEndian.Uint64(key[:8]),
		k1:      binary.LittleEndian.Uint64(key[8:]),
		tagSize: TagSize,
	}
}

// NewAEADWithTagSize returns an AEAD whose tags are the first size bytes of the whole ones.
func NewAEADWithTagSize(key [KeySize]byte, size int) (*AEAD, error) {
	if size < MinTagSize || size > TagSize {
		return nil, fmt.Errorf("ascon: tag of %d bytes, want %d to %d", size, MinTagSize, TagSize)
	}
	a := NewAEAD(key)
	a.tagSize = size
	return a, nil
}

// NonceSize is the size of the nonces that Seal and Open take; they panic on any other.
func (a *AEAD) NonceSize() int { return NonceSize }

// Overhead is the size of a tag.
func (a *AEAD) Overhead() int { return a.tagSize }

// Seal appends plaintext, encrypted, and the tag of it and of data to dst. To encrypt in place, dst is plaintext[:0]; otherwise they
// may not overlap. Nothing is allocated where dst has room.
func (a *AEAD) Seal(dst, nonce, plaintext, data []byte) []byte {
	s := a.begin(nonce, data)
	n := len(dst)
	dst = slices.Grow(dst, len(plaintext)+a.tagSize)[:n+len(plaintext)]
	s.encrypt(dst[n:], plaintext)
	tag := a.end(&s)
	return append(dst, tag[:a.tagSize]...)
}

// Open appends to dst what Seal encrypted, if it is unchanged and nonce and data are the same. To decrypt in place, dst is
// ciphertext[:0]. After an error nothing of the plaintext is left in dst.
func (a *AEAD) Open(dst, nonce, ciphertext, data []byte) ([]byte, error) {
	s := a.begin(nonce, data)
	if len(ciphertext) < a.tagSize {
		return nil, errOpen
	}
	text, sent := ciphertext[:len(ciphertext)-a.tagSize], ciphertext[len(ciphertext)-a.tagSize:]
	n := len(dst)
	dst = slices.Grow(dst, len(text))[:n+len(text)]
	s.decrypt(dst[n:], text)
	tag := a.end(&s)
	if subtle.ConstantTimeCompare(tag[:a.tagSize], sent) != 1 {
		clear(dst[n:])
		return nil, errOpen
	}
	return dst, nil
}

// begin is initialization and associated data (SP 800-232, algorithm 3).
func (a *AEAD) begin(nonce, data []byte) state {
	if len(nonce) != NonceSize {
		panic("ascon: nonce of wrong size")
	}
	const iv = 0x00001000808c0001
	s := state{iv, a.k0, a.k1, binary.LittleEndian.Uint64(nonce), binary.LittleEndian.Uint64(nonce[8:])}
	s.permute(12)
	s[3] ^= a.k0
	s[4] ^= a.k1
	if len(data) > 0 {
		s.absorb(data)
	}
	s[4] ^= 1 << 63 // the text begins
	return s
}

func (a *AEAD) end(s *state) (tag [TagSize]byte) {
	s[2] ^= a.k0
	s[3] ^= a.k1
	s.permute(12)
	binary.LittleEndian.PutUint64(tag[:8], s[3]^a.k0)
	binary.LittleEndian.PutUint64(tag[8:], s[4]^a.k1)
	return tag
}
