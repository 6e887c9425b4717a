package coap

import "encoding/binary"

// The bytes of SLIP (RFC 1055).
const (
	slipEnd    = 0xC0
	slipEsc    = 0xDB
	slipEscEnd = 0xDC
	slipEscEsc = 0xDD
)

// AppendSLIP appends one serial frame to dst: END, the message and its CRC with END and ESC escaped, END.
// The leading END ends whatever noise the receiver has collected before.
func AppendSLIP(dst, message []byte) []byte {
	var sum [2]byte
	binary.BigEndian.PutUint16(sum[:], crc16(message))
	dst = append(dst, slipEnd)
	dst = appendEscaped(dst, message)
	dst = appendEscaped(dst, sum[:])
	return append(dst, slipEnd)
}

func appendEscaped(dst, b []byte) []byte {
	for _, c := range b {
		switch c {
		case slipEnd:
			dst = append(dst, slipEsc, slipEscEnd)
		case slipEsc:
			dst = append(dst, slipEsc, slipEscEsc)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// crc16 is CRC-16/CCITT-FALSE: polynomial 1021, start FFFF, not reflected, not inverted.
func crc16(b []byte) uint16 {
	crc := uint16(0xFFFF)
	for _, c := range b {
		crc ^= uint16(c) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}

// SLIPReader finds messages in a stream of serial bytes. It holds one frame of at most Max bytes of message
// and never more. A frame with a wrong CRC, an escape that is none, or too many bytes is dropped and counted.
type SLIPReader struct {
	Max     int // bytes of a message; 0: MaxSerial
	Dropped uint64

	frame   []byte
	escaped bool
	bad     bool
}

// Next takes one byte. It gives a message when the byte ends a good frame; the message is valid until the next call.
func (r *SLIPReader) Next(c byte) ([]byte, bool) {
	if c == slipEnd {
		return r.end()
	}
	switch {
	case r.bad:
		return nil, false
	case r.escaped:
		r.escaped = false
		switch c {
		case slipEscEnd:
			c = slipEnd
		case slipEscEsc:
			c = slipEsc
		default:
			r.bad = true
			return nil, false
		}
	case c == slipEsc:
		r.escaped = true
		return nil, false
	}
	limit := r.Max
	if limit <= 0 {
		limit = MaxSerial
	}
	if len(r.frame) >= limit+2 {
		r.bad = true
		return nil, false
	}
	r.frame = append(r.frame, c)
	return nil, false
}

func (r *SLIPReader) end() ([]byte, bool) {
	frame, bad := r.frame, r.bad || r.escaped
	r.frame, r.escaped, r.bad = r.frame[:0], false, false
	if len(frame) == 0 && !bad {
		return nil, false
	}
	if bad || len(frame) < 3 {
		r.Dropped++
		return nil, false
	}
	message := frame[:len(frame)-2]
	if binary.BigEndian.Uint16(frame[len(message):]) != crc16(message) {
		r.Dropped++
		return nil, false
	}
	return message, true
}
