package capability

import (
	"encoding/binary"
	"errors"
)

const (
	version = 1

	// HeaderSize is the length of a header in bytes.
	headerSize = 12
	// MaxFrames bounds the frames of a capability.
	MaxFrames = 4
	// maxFrame bounds a frame in bytes.
	maxFrame = 48
	// maxCarried bounds the carried form: an OPEN with it just fits the 255 bytes of option 65001.
	maxCarried = 255 - openFixed

	// BranchOwner is the owner's branch.
	BranchOwner = 0
	// BranchMirror is the branch whose key home nodes hold; every verifier lets it read and nothing else.
	BranchMirror = 15

	mirrorBit = 0x80 // of a form, and of the header's first byte in a hello
)

// Header is what every frame of a capability stands on:
//
//	0        version << 4 | branch
//	1..4     service hint
//	5..6     epoch u16
//	7        generation u8
//	8..11    nonce
type Header struct {
	Branch     uint8 // 0..15
	Hint       [4]byte
	Epoch      uint16
	Generation uint8
	Nonce      [4]byte
}

func (h Header) encode() [headerSize]byte {
	var b [headerSize]byte
	b[0] = version<<4 | h.Branch
	copy(b[1:5], h.Hint[:])
	binary.BigEndian.PutUint16(b[5:7], h.Epoch)
	b[7] = h.Generation
	copy(b[8:12], h.Nonce[:])
	return b
}

var errHeaderVersion = errors.New("header of another version")

func decodeHeader(b [headerSize]byte) (Header, error) {
	if b[0]>>4 != version {
		return Header{}, errHeaderVersion
	}
	return Header{
		Branch:     b[0] & 0x0f,
		Hint:       [4]byte(b[1:5]),
		Epoch:      binary.BigEndian.Uint16(b[5:7]),
		Generation: b[7],
		Nonce:      [4]byte(b[8:12]),
	}, nil
}
