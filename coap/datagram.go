package coap

import (
	"errors"
	"fmt"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	udpcoder "github.com/plgd-dev/go-coap/v3/udp/coder"
)

// Type is the message type of the datagram form (RFC 7252 section 3).
type Type uint8

// The four types.
const (
	Confirmable     Type = 0
	NonConfirmable  Type = 1
	Acknowledgement Type = 2
	Reset           Type = 3
)

// Datagram is a message with what is new on every hop: on UDP one datagram, on a serial line one frame.
type Datagram struct {
	Type    Type
	ID      uint16
	Token   []byte
	Message Message
}

// Append appends the encoded form (RFC 7252 section 3) to dst.
func (d *Datagram) Append(dst []byte) ([]byte, error) {
	m, err := toMessage(&d.Message)
	if err != nil {
		return nil, err
	}
	m.Type, m.MessageID, m.Token = message.Type(d.Type), int32(d.ID), d.Token
	size, err := udpcoder.DefaultCoder.Size(m)
	if err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	at := len(dst)
	dst = append(dst, make([]byte, size)...)
	if _, err := udpcoder.DefaultCoder.Encode(m, dst[at:]); err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	return dst, nil
}

// DecodeDatagram reads one message. The result has no part in raw. With an *OptionError everything but the
// options and the payload is valid, so that the sender can be answered; with ErrMalformed nothing is.
func DecodeDatagram(raw []byte) (*Datagram, error) {
	if len(raw) < 4 || raw[0]>>6 != 1 || int(raw[0]&0x0F) > maxToken || len(raw) < 4+int(raw[0]&0x0F) {
		return nil, fmt.Errorf("%w: header", ErrMalformed)
	}
	if raw[1] == 0 && len(raw) != 4 {
		return nil, fmt.Errorf("%w: an empty message with content", ErrMalformed)
	}
	raw = append([]byte(nil), raw...)
	tokenEnd := 4 + int(raw[0]&0x0F)
	d := &Datagram{
		Type:    Type(raw[0] >> 4 & 3),
		ID:      uint16(raw[2])<<8 | uint16(raw[3]),
		Token:   raw[4:tokenEnd:tokenEnd],
		Message: Message{Code: raw[1]},
	}
	if _, err := scanOptions(raw[tokenEnd:]); err != nil {
		if optionError := (*OptionError)(nil); errors.As(err, &optionError) {
			return d, err
		}
		return nil, err
	}
	m := message.Message{Options: make(message.Options, 0, MaxOptions)}
	if _, err := udpcoder.DefaultCoder.Decode(raw, &m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	d.Message = *fromMessage(&m)
	return d, nil
}

// toMessage returns the form that go-coap's coders take. It shares the values' bytes with m.
func toMessage(m *Message) (message.Message, error) {
	out := message.Message{Code: codes.Code(m.Code), Payload: m.Payload}
	if len(m.Options) > MaxOptions {
		return out, fmt.Errorf("message of %d options, at most %d", len(m.Options), MaxOptions)
	}
	out.Options = make(message.Options, 0, len(m.Options))
	last := uint16(0)
	for _, o := range m.Options {
		if o.Number < last {
			return out, fmt.Errorf("option %d after option %d: not ascending", o.Number, last)
		}
		last = o.Number
		out.Options = append(out.Options, message.Option{ID: message.OptionID(o.Number), Value: o.Value})
	}
	return out, nil
}

// fromMessage takes code, options and payload of a message that go-coap decoded. It shares their bytes.
func fromMessage(m *message.Message) *Message {
	out := &Message{Code: uint8(m.Code), Payload: m.Payload}
	if len(m.Options) > 0 {
		out.Options = make([]Option, 0, len(m.Options))
	}
	for _, o := range m.Options {
		out.Options = append(out.Options, Option{Number: uint16(o.ID), Value: o.Value})
	}
	return out
}
