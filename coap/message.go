package coap

import (
	"fmt"
	"slices"
	"strings"

	"github.com/edgeistry/edgeistry"
)

// Codes of CoAP (RFC 7252 12.1) that the profile uses: class in the upper three bits, detail in the lower five.
const (
	CodeEmpty             uint8 = 0x00
	CodeGET               uint8 = 0x01
	CodePOST              uint8 = 0x02
	CodePUT               uint8 = 0x03
	CodeDELETE            uint8 = 0x04
	CodeValid             uint8 = 0x43 // what the asker holds is still right (RFC 7252 section 5.9.1.3)
	CodeChanged           uint8 = 0x44
	CodeContent           uint8 = 0x45
	CodeBadRequest        uint8 = 0x80
	CodeUnauthorized      uint8 = 0x81
	CodeBadOption         uint8 = 0x82
	CodeForbidden         uint8 = 0x83
	CodeNotFound          uint8 = 0x84
	CodeMethodNotAllowed  uint8 = 0x85
	CodeTooLarge          uint8 = 0x8d
	CodeTooManyRequests   uint8 = 0x9d
	CodeInternal          uint8 = 0xa0
	CodeBadGateway        uint8 = 0xa2
	CodeUnavailable       uint8 = 0xa3
	CodeGatewayTimeout    uint8 = 0xa4
	CodeProxyNotSupported uint8 = 0xa5
	CodeHopLimitReached   uint8 = 0xa8
)

// Values of the options Content-Format and Observe.
const (
	ContentFormatText   = 0
	ContentFormatLink   = 40
	ContentFormatOctets = 42
	ObserveDeregister   = 1
)

// Limits of a message's options.
const (
	MaxOptions  = 32
	MaxSegments = 3 // of a path
	MaxQueries  = 4

	maxSegmentLength = edgeistry.MaxName // bytes, of a query too
)

// Option numbers of the profile. docs/spec/wire.md says which hop may touch which.
const (
	OptionIfMatch       uint16 = 1
	OptionURIHost       uint16 = 3
	OptionETag          uint16 = 4
	OptionIfNoneMatch   uint16 = 5
	OptionObserve       uint16 = 6
	OptionURIPort       uint16 = 7
	OptionURIPath       uint16 = 11
	OptionContentFormat uint16 = 12
	OptionMaxAge        uint16 = 14
	OptionURIQuery      uint16 = 15
	OptionHopLimit      uint16 = 16
	OptionAccept        uint16 = 17
	OptionBlock2        uint16 = 23
	OptionBlock1        uint16 = 27
	OptionSize2         uint16 = 28
	OptionProxyURI      uint16 = 35
	OptionProxyScheme   uint16 = 39
	OptionSize1         uint16 = 60
	OptionEcho          uint16 = 252 // RFC 9175: a challenge
	OptionRequestTag    uint16 = 292
	OptionResponse      uint16 = 65000 // experimental: the answer's proof
	OptionRequest       uint16 = 65001 // experimental: the request's proof
	OptionTrace         uint16 = 65004 // experimental: where the time went
)

// Option is one option of a message. Value is not copied by the functions of this package.
type Option struct {
	Number uint16
	Value  []byte
}

// Message is a CoAP message without what is new on every hop: no version, type, message ID or token.
type Message struct {
	Code    uint8
	Options []Option // ascending by Number; repeated ones in their order
	Payload []byte
}

// Get returns the first option of that number.
func (m *Message) Get(number uint16) ([]byte, bool) {
	for i := range m.Options {
		if m.Options[i].Number == number {
			return m.Options[i].Value, true
		}
	}
	return nil, false
}

// Add inserts an option behind those of the same and of lower numbers.
func (m *Message) Add(number uint16, value []byte) {
	at := len(m.Options)
	for at > 0 && m.Options[at-1].Number > number {
		at--
	}
	m.Options = slices.Insert(m.Options, at, Option{number, value})
}

// Set replaces every option of that number by one.
func (m *Message) Set(number uint16, value []byte) {
	m.Remove(number)
	m.Add(number, value)
}

// Remove takes out every option of that number.
func (m *Message) Remove(number uint16) {
	m.Options = slices.DeleteFunc(m.Options, func(o Option) bool { return o.Number == number })
}

// AddUint adds an option whose value is a number in CoAP's shortest form (RFC 7252 3.2): 0 is empty.
func (m *Message) AddUint(number uint16, value uint32) {
	m.Add(number, appendUint(nil, value))
}

// GetUint reads an option of CoAP's uint format of at most 4 bytes.
func (m *Message) GetUint(number uint16) (uint32, bool) {
	value, ok := m.Get(number)
	if !ok || len(value) > 4 {
		return 0, false
	}
	var n uint32
	for _, b := range value {
		n = n<<8 | uint32(b)
	}
	return n, true
}

// appendUint appends the shortest form of value.
func appendUint(dst []byte, value uint32) []byte {
	for shift := 24; shift >= 0; shift -= 8 {
		if b := value >> shift; b != 0 {
			dst = append(dst, byte(b))
		}
	}
	return dst
}

// Path returns the Uri-Path options as text, "/l/temperature"; "/" if there are none.
func (m *Message) Path() string {
	var b strings.Builder
	for _, o := range m.Options {
		if o.Number == OptionURIPath {
			b.WriteByte('/')
			b.Write(o.Value)
		}
	}
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}

// SetPath replaces the Uri-Path options: at most 3 segments of 1 to 31 bytes.
func (m *Message) SetPath(path string) error {
	if !strings.HasPrefix(path, "/") {
		return fmt.Errorf("path %.80q must start with a slash", path)
	}
	var segments []string
	if path != "/" {
		segments = strings.Split(path[1:], "/")
	}
	if len(segments) > MaxSegments {
		return fmt.Errorf("path %.80q has %d segments, %d are allowed", path, len(segments), MaxSegments)
	}
	for _, s := range segments {
		if len(s) == 0 || len(s) > maxSegmentLength {
			return fmt.Errorf("path %.80q: segments have 1 to %d bytes", path, maxSegmentLength)
		}
	}
	m.Remove(OptionURIPath)
	for _, s := range segments {
		m.Add(OptionURIPath, []byte(s))
	}
	return nil
}

// Queries returns the Uri-Query options in order.
func (m *Message) Queries() []string {
	var queries []string
	for _, o := range m.Options {
		if o.Number == OptionURIQuery {
			queries = append(queries, string(o.Value))
		}
	}
	return queries
}

// Clone copies the message and every byte of it.
func (m *Message) Clone() *Message {
	c := &Message{Code: m.Code, Payload: slices.Clone(m.Payload), Options: slices.Clone(m.Options)}
	for i := range c.Options {
		c.Options[i].Value = slices.Clone(c.Options[i].Value)
	}
	return c
}

// Success reports whether the code is of class 2.
func (m *Message) Success() bool { return m.Code>>5 == 2 }

// CodeText returns a code as RFC 7252 writes it: "2.05".
func CodeText(code uint8) string { return fmt.Sprintf("%d.%02d", code>>5, code&0x1f) }
