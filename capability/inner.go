package capability

import "github.com/edgeistry/edgeistry/coap"

// An inner message is what a private request or answer holds encrypted:
//
//	code u8 | options as in a CoAP message (RFC 7252 3.1) | FF payload, if there is one

const payloadMarker = 0xff

// appendInner appends the inner form of m, which has no proof of its own.
func appendInner(dst []byte, m *coap.Message) []byte { return appendBody(append(dst, m.Code), m) }

// appendBody appends options and payload as a CoAP message has them (RFC 7252 3).
func appendBody(dst []byte, m *coap.Message) []byte {
	previous := uint16(0)
	for i := range m.Options {
		o := &m.Options[i]
		delta, deltaExtra := optionNibble(int(o.Number - previous))
		length, lengthExtra := optionNibble(len(o.Value))
		dst = append(dst, delta<<4|length)
		dst = append(append(append(dst, deltaExtra...), lengthExtra...), o.Value...)
		previous = o.Number
	}
	if len(m.Payload) > 0 {
		dst = append(append(dst, payloadMarker), m.Payload...)
	}
	return dst
}

// optionNibble returns a delta or a length in 4 bits and 0 to 2 bytes more.
func optionNibble(n int) (nibble byte, extra []byte) {
	switch {
	case n < 13:
		return byte(n), nil
	case n < 269:
		return 13, []byte{byte(n - 13)}
	}
	return 14, []byte{byte((n - 269) >> 8), byte(n - 269)}
}

// parseInner is the opposite of appendInner. The message shares b's memory. False: b holds no message. Of more than 32 options
// the message has the first 33: that there are too many is for who reads them to say.
func parseInner(b []byte) (*coap.Message, bool) {
	if len(b) == 0 {
		return nil, false
	}
	m := &coap.Message{Code: b[0]}
	number := 0
	for b = b[1:]; len(b) > 0; {
		if b[0] == payloadMarker {
			m.Payload = b[1:]
			return m, len(m.Payload) > 0
		}
		first := b[0]
		b = b[1:]
		delta, length, ok := 0, 0, false
		if delta, b, ok = cutNibble(first>>4, b); !ok {
			return nil, false
		}
		if length, b, ok = cutNibble(first&15, b); !ok {
			return nil, false
		}
		number += delta
		if number > 0xffff || length > len(b) {
			return nil, false
		}
		if len(m.Options) <= coap.MaxOptions {
			m.Options = append(m.Options, coap.Option{Number: uint16(number), Value: b[:length:length]})
		}
		b = b[length:]
	}
	return m, true
}

func cutNibble(nibble byte, b []byte) (n int, rest []byte, ok bool) {
	switch {
	case nibble == 13 && len(b) >= 1:
		return int(b[0]) + 13, b[1:], true
	case nibble == 14 && len(b) >= 2:
		return int(b[0])<<8 + int(b[1]) + 269, b[2:], true
	}
	return int(nibble), b, nibble < 13
}
