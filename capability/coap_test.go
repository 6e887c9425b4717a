package capability

import "github.com/edgeistry/edgeistry/coap"

// coapBytes writes a message as CoAP over UDP carries it (RFC 7252 3): the tests need it to show what a device
// link sees. kind 0 is confirmable, 2 an acknowledgement with the answer in it.
func coapBytes(m *coap.Message, kind byte, id uint16, token []byte) []byte {
	b := []byte{0x40 | kind<<4 | byte(len(token)), m.Code, byte(id >> 8), byte(id)}
	return appendBody(append(b, token...), m)
}
