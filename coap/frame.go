package coap

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/plgd-dev/go-coap/v3/message"
	tcpcoder "github.com/plgd-dev/go-coap/v3/tcp/coder"
)

// Signalling codes of RFC 8323 section 5.
const (
	codeCSM     = 0xE1
	codePing    = 0xE2
	codePong    = 0xE3
	codeRelease = 0xE4
	codeAbort   = 0xE5
)

// optionMaxMessageSize is the CSM option of RFC 8323 section 5.3.1.
const optionMaxMessageSize = 2

// baseStreamSize is what either side takes before its CSM says more (RFC 8323 section 5.3.1).
const baseStreamSize = 1152

// frame is a message of the stream form.
type frame struct {
	token   []byte
	message Message
}

func (f *frame) isSignal() bool { return f.message.Code>>5 == 7 }

// append encodes the frame (RFC 8323 section 3.2).
func (f *frame) append(dst []byte) ([]byte, error) {
	m, err := toMessage(&f.message)
	if err != nil {
		return nil, err
	}
	m.Token = f.token
	size, err := tcpcoder.DefaultCoder.Size(m)
	if err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	at := len(dst)
	dst = append(dst, make([]byte, size)...)
	if _, err := tcpcoder.DefaultCoder.Encode(m, dst[at:]); err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	return dst, nil
}

// ErrTooLarge reports that a message exceeds what a link or a peer takes.
var ErrTooLarge = errors.New("message too large")

// readFrame reads one message of at most limit bytes; nothing is allocated for a longer one. An *OptionError comes
// with the frame's code and token, and the stream can go on.
//
//	 0               1                                     2
//	+-------+-------+------------------+-------+----------+---------+-------------+
//	| length| token | length 0,1,2,4 B | code  | token    | options | FF payload  |
//	| 4 bits| 4 bits|                  | 1 B   | 0..8 B   |         |             |
//	+-------+-------+------------------+-------+----------+---------+-------------+
func readFrame(r *bufio.Reader, limit int) (*frame, error) {
	first, err := r.ReadByte()
	if err != nil {
		return nil, err
	}
	extended := 0
	if n := int(first >> 4); n >= 13 {
		extended = 1 << (n - 13)
	}
	head := make([]byte, 2+extended+int(first&0x0F))
	head[0] = first
	if _, err := io.ReadFull(r, head[1:]); err != nil {
		return nil, noEOF(err)
	}
	var h tcpcoder.MessageHeader
	if _, err := tcpcoder.DefaultCoder.DecodeHeader(head, &h); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if uint64(h.MessageLength) > uint64(limit) {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, h.MessageLength, limit)
	}
	body := make([]byte, h.MessageLength-h.Length)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, noEOF(err)
	}
	f := &frame{token: h.Token, message: Message{Code: uint8(h.Code)}}
	if !f.isSignal() {
		if _, err := scanOptions(body); err != nil {
			return f, err
		}
	}
	m := message.Message{Options: make(message.Options, 0, MaxOptions)}
	if _, err := tcpcoder.DefaultCoder.DecodeWithHeader(body, h, &m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	f.message = *fromMessage(&m)
	return f, nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
