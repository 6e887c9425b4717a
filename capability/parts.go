package capability

import (
	"errors"
	"fmt"
)

const (
	// MaxParts bounds the capabilities that prove one session together.
	MaxParts = 4

	partMark      = 0xe0 // between two parts, where a frame's length would be
	dischargeMark = 0xf0 // plus the number of the frame that the discharge is for
	bindingSize   = 16
)

// part is one capability as a verifier is shown it; the slices share the carried form's memory.
//
//	part        header (12) | frames: u8 length (0..48) | frame      | discharges
//	discharge   F0 + frame number (1..4) | u8 length (0..48) | f | binding (16)
//	carried     part | E0 part | E0 part ...
type part struct {
	header     Header
	bytes      []byte // header and frames as carried
	frames     [MaxFrames]Frame
	nframes    int
	discharges [MaxFrames]boundDischarge // that of frame i + 1
}

// boundDischarge is a discharge as carried; there is none where the binding is nil.
type boundDischarge struct {
	frame   Frame
	binding []byte
}

func appendDischarge(dst []byte, frame int, d boundDischarge) []byte {
	dst = append(dst, dischargeMark+byte(frame), byte(len(d.frame)))
	dst = append(dst, d.frame...)
	return append(dst, d.binding...)
}

// appendPart appends header and frames.
func appendPart(dst []byte, h Header, frames []Frame) ([]byte, error) {
	if h.Branch > BranchMirror {
		return nil, fmt.Errorf("branch %d, the last is %d", h.Branch, BranchMirror)
	}
	if len(frames) < 1 || len(frames) > MaxFrames {
		return nil, fmt.Errorf("%d frames; a capability has 1 to %d", len(frames), MaxFrames)
	}
	header := h.encode()
	b := append(dst, header[:]...)
	for i, f := range frames {
		if len(f) > maxFrame {
			return nil, fmt.Errorf("frame %d has %d bytes, %d are allowed", i+1, len(f), maxFrame)
		}
		b = append(b, byte(len(f)))
		b = append(b, f...)
	}
	if n := len(b) - len(dst); n > maxCarried {
		return nil, fmt.Errorf("header and frames have %d bytes, %d are allowed", n, maxCarried)
	}
	return b, nil
}

var errCarried = errors.New("carried form is malformed")

// decodeParts takes a carried form apart. What stands in the frames is not looked at: a malformed frame denies when it is
// evaluated. Whether a discharge is right is not known here either.
func decodeParts(b []byte, parts *[MaxParts]part) (int, error) {
	if len(b) > maxCarried {
		return 0, errCarried
	}
	for n := range parts {
		rest, err := parts[n].decode(b)
		if err != nil {
			return 0, err
		}
		for i := range n {
			if !parts[i].header.together(parts[n].header) {
				return 0, errCarried
			}
		}
		if len(rest) == 0 {
			return n + 1, nil
		}
		if rest[0] != partMark {
			break
		}
		b = rest[1:]
	}
	return 0, errCarried
}

// together reports whether two parts may prove one session: of one service and epoch, and not the
// same capability.
func (h Header) together(other Header) bool {
	return h.Hint == other.Hint && h.Epoch == other.Epoch && (h.Branch != other.Branch || h.Nonce != other.Nonce)
}

// decode takes one part off b and gives what follows it.
func (p *part) decode(b []byte) (rest []byte, err error) {
	*p = part{}
	if rest, err = p.decodeFrames(b); err != nil {
		return nil, err
	}
	last := byte(dischargeMark)
	for len(rest) > 0 && rest[0] > last && rest[0] <= dischargeMark+MaxFrames {
		last = rest[0]
		if len(rest) < 2 || rest[1] > maxFrame || len(rest) < 2+int(rest[1])+bindingSize {
			return nil, errCarried
		}
		end := 2 + int(rest[1])
		p.discharges[last-dischargeMark-1] = boundDischarge{frame: rest[2:end:end], binding: rest[end : end+bindingSize : end+bindingSize]}
		rest = rest[end+bindingSize:]
	}
	return rest, nil
}

// decodeFrames takes header and frames off b.
func (p *part) decodeFrames(b []byte) (rest []byte, err error) {
	if len(b) < headerSize+1 {
		return nil, errCarried
	}
	if p.header, err = decodeHeader([headerSize]byte(b)); err != nil {
		return nil, err
	}
	rest = b[headerSize:]
	for len(rest) > 0 && rest[0] <= maxFrame {
		length := int(rest[0])
		if p.nframes == MaxFrames || length > len(rest)-1 {
			return nil, errCarried
		}
		p.frames[p.nframes] = rest[1 : 1+length : 1+length]
		p.nframes++
		rest = rest[1+length:]
	}
	if p.nframes == 0 {
		return nil, errCarried
	}
	p.bytes = b[:len(b)-len(rest)]
	return rest, nil
}

// Place takes the number of the frame that denied apart: which capability of those that prove the request
// together, counted from 0; which of its frames, from 1; and whether it is the discharge of that frame.
func (v Verdict) Place() (part, frame int, discharge bool) {
	return v.Frame / partStep, v.Frame % dischargeStep, v.Frame%partStep > dischargeStep
}

const (
	dischargeStep = 16
	partStep      = 32
)
