package ascon

import (
	"encoding/binary"
	"math/bits"
)

// state is S0..S4; the first two words are what data and text meet.
type state [5]uint64

// permute is the last n rounds of Ascon-p (SP 800-232, 3).
func (s *state) permute(n uint64) {
	x0, x1, x2, x3, x4 := s[0], s[1], s[2], s[3], s[4]
	for c := 0x3c + 0x0f*n; c > 0x3c; c -= 0x0f {
		x2 ^= c

		// The S-box, 64 at a time.
		x0 ^= x4
		x4 ^= x3
		x2 ^= x1
		t0 := x0 ^ ^x1&x2
		t1 := x1 ^ ^x2&x3
		t2 := x2 ^ ^x3&x4
		t3 := x3 ^ ^x4&x0
		t4 := x4 ^ ^x0&x1
		t1 ^= t0
		t0 ^= t4
		t3 ^= t2
		t2 = ^t2

		x0 = t0 ^ bits.RotateLeft64(t0, -19) ^ bits.RotateLeft64(t0, -28)
		x1 = t1 ^ bits.RotateLeft64(t1, -61) ^ bits.RotateLeft64(t1, -39)
		x2 = t2 ^ bits.RotateLeft64(t2, -1) ^ bits.RotateLeft64(t2, -6)
		x3 = t3 ^ bits.RotateLeft64(t3, -10) ^ bits.RotateLeft64(t3, -17)
		x4 = t4 ^ bits.RotateLeft64(t4, -7) ^ bits.RotateLeft64(t4, -41)
	}
	s[0], s[1], s[2], s[3], s[4] = x0, x1, x2, x3, x4
}

func (s *state) absorb(data []byte) {
	for len(data) >= rate {
		s[0] ^= binary.LittleEndian.Uint64(data)
		s[1] ^= binary.LittleEndian.Uint64(data[8:])
		s.permute(8)
		data = data[rate:]
	}
	for i, b := range data {
		s.xor(i, b)
	}
	s.xor(len(data), 1)
	s.permute(8)
}

func (s *state) encrypt(dst, text []byte) {
	for len(text) >= rate {
		s[0] ^= binary.LittleEndian.Uint64(text)
		s[1] ^= binary.LittleEndian.Uint64(text[8:])
		binary.LittleEndian.PutUint64(dst, s[0])
		binary.LittleEndian.PutUint64(dst[8:], s[1])
		s.permute(8)
		text, dst = text[rate:], dst[rate:]
	}
	for i, b := range text {
		s.xor(i, b)
		dst[i] = s.at(i)
	}
	s.xor(len(text), 1)
}

func (s *state) decrypt(dst, text []byte) {
	for len(text) >= rate {
		c0, c1 := binary.LittleEndian.Uint64(text), binary.LittleEndian.Uint64(text[8:])
		binary.LittleEndian.PutUint64(dst, s[0]^c0)
		binary.LittleEndian.PutUint64(dst[8:], s[1]^c1)
		s[0], s[1] = c0, c1
		s.permute(8)
		text, dst = text[rate:], dst[rate:]
	}
	for i, b := range text {
		p := s.at(i) ^ b
		s.xor(i, p)
		dst[i] = p
	}
	s.xor(len(text), 1)
}

// at and xor are of byte i of the rate, the bytes of a word from its low end.
func (s *state) at(i int) byte     { return byte(s[i/8] >> (i % 8 * 8)) }
func (s *state) xor(i int, b byte) { s[i/8] ^= uint64(b) << (i % 8 * 8) }
