package capability

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	version = 1

	// HeaderSize is the length of a header in bytes.
	HeaderSize = 12
	// MaxFrames bounds the frames of a capability.
	MaxFrames = 4
	// MaxFrame bounds a frame in bytes.
	MaxFrame = 48
	// MaxCarried bounds the carried form: an OPEN with it just fits the 255 bytes of option 65001.
	MaxCarried = 255 - openFixed

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

func (h Header) encode() [HeaderSize]byte {
	var b [HeaderSize]byte
	b[0] = version<<4 | h.Branch
	copy(b[1:5], h.Hint[:])
	binary.BigEndian.PutUint16(b[5:7], h.Epoch)
	b[7] = h.Generation
	copy(b[8:12], h.Nonce[:])
	return b
}

var errHeaderVersion = errors.New("header of another version")

func decodeHeader(b [HeaderSize]byte) (Header, error) {
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

// EncodeCarried gives the carried form: the header, then each frame as u8 length | frame.
func EncodeCarried(h Header, frames []Frame) ([]byte, error) {
	if h.Branch > BranchMirror {
		return nil, fmt.Errorf("branch %d, the last is %d", h.Branch, BranchMirror)
	}
	if len(frames) < 1 || len(frames) > MaxFrames {
		return nil, fmt.Errorf("%d frames; a capability has 1 to %d", len(frames), MaxFrames)
	}
	header := h.encode()
	b := append(make([]byte, 0, MaxCarried), header[:]...)
	for i, f := range frames {
		if len(f) > MaxFrame {
			return nil, fmt.Errorf("frame %d has %d bytes, %d are allowed", i+1, len(f), MaxFrame)
		}
		b = append(b, byte(len(f)))
		b = append(b, f...)
	}
	if len(b) > MaxCarried {
		return nil, fmt.Errorf("header and frames have %d bytes, %d are allowed", len(b), MaxCarried)
	}
	return b, nil
}

var errCarried = errors.New("carried form is malformed")

// DecodeCarried takes a carried form apart. The frames share its memory. What stands in them is not looked at:
// a malformed frame denies when it is evaluated.
func DecodeCarried(b []byte) (Header, []Frame, error) {
	var frames [MaxFrames]Frame
	h, n, err := decodeCarried(b, &frames)
	if err != nil {
		return Header{}, nil, err
	}
	return h, append([]Frame(nil), frames[:n]...), nil
}

func decodeCarried(b []byte, frames *[MaxFrames]Frame) (Header, int, error) {
	if len(b) < HeaderSize+1 || len(b) > MaxCarried {
		return Header{}, 0, errCarried
	}
	h, err := decodeHeader([HeaderSize]byte(b))
	if err != nil {
		return Header{}, 0, err
	}
	n := 0
	for b = b[HeaderSize:]; len(b) > 0; n++ {
		length := int(b[0])
		if n == MaxFrames || length > MaxFrame || length > len(b)-1 {
			return Header{}, 0, errCarried
		}
		frames[n] = b[1 : 1+length : 1+length]
		b = b[1+length:]
	}
	return h, n, nil
}
