package capability

// coapBytes writes a message as CoAP over UDP carries it (RFC 7252 3): the tests need it to show what a device
// link sees. kind 0 is confirmable, 2 an acknowledgement with the answer in it.
func coapBytes(m *Message, kind byte, id uint16, token []byte) []byte {
	b := append([]byte{0x40 | kind<<4 | byte(len(token)), m.Code, byte(id >> 8), byte(id)}, token...)
	last := uint16(0)
	for _, o := range m.Options {
		delta, dx := coapNibble(int(o.Number - last))
		length, lx := coapNibble(len(o.Value))
		b = append(b, delta<<4|length)
		b = append(append(append(b, dx...), lx...), o.Value...)
		last = o.Number
	}
	if len(m.Payload) > 0 {
		b = append(append(b, 0xff), m.Payload...)
	}
	return b
}

func coapNibble(n int) (byte, []byte) {
	switch {
	case n < 13:
		return byte(n), nil
	case n < 269:
		return 13, []byte{byte(n - 13)}
	}
	return 14, []byte{byte((n - 269) >> 8), byte(n - 269)}
}
