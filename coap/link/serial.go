package link

import (
	"io"
	"sync"
	"time"

	"github.com/edgeistry/edgeistry/coap"
	"go.bug.st/serial"
)

// DefaultBaud is the speed of device links, in bits a second.
const DefaultBaud = 115200

// serialAckTimeout is the time before the first retransmission on a serial line. It must exceed the worst time that a
// device works on one request plus both messages on the line: opening a session with 3 frames takes an
// ATmega328P about 60 ms, and twice 256 bytes take 45 ms at 115,200 baud.
const serialAckTimeout = 400 * time.Millisecond

// OpenSerial returns a link over the tty at path. The tty need not be there yet: see Link.Up.
func OpenSerial(path string, cfg Config) *Link {
	if cfg.Baud <= 0 {
		cfg.Baud = DefaultBaud
	}
	baud := cfg.Baud
	return NewSerial("serial:"+path, func() (io.ReadWriteCloser, error) {
		return serial.Open(path, &serial.Mode{BaudRate: baud, DataBits: 8, Parity: serial.NoParity, StopBits: serial.OneStopBit})
	}, cfg)
}

// NewSerial returns a link in the serial framing over whatever open gives. open is called again
// after a failure of what it gave before.
func NewSerial(name string, open func() (io.ReadWriteCloser, error), cfg Config) *Link {
	cfg = cfg.withDefaults(coap.MaxSerial, serialAckTimeout)
	if cfg.Baud <= 0 {
		cfg.Baud = DefaultBaud
	}
	return newLink(name, cfg, cfg.Baud, func() (carrier, error) {
		port, err := open()
		if err != nil {
			return nil, err
		}
		return &serialLine{port: port, frames: coap.SLIPReader{Max: cfg.MaxMessage}, chunk: make([]byte, 512)}, nil
	})
}

// serialLine is a carrier over a byte stream.
type serialLine struct {
	port io.ReadWriteCloser

	writing sync.Mutex

	frames coap.SLIPReader // these are the reader's alone
	chunk  []byte
	rest   []byte
	wire   int
}

// discarder is what a real port offers beyond a stream of bytes.
type discarder interface{ ResetOutputBuffer() error }

func (s *serialLine) write(message []byte, stale bool) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if port, ok := s.port.(discarder); ok && stale {
		// Maybe nobody reads: then what was written must not pile up in the kernel until writing blocks.
		_ = port.ResetOutputBuffer()
	}
	raw := coap.AppendSLIP(nil, message)
	for sent := 0; sent < len(raw); {
		n, err := s.port.Write(raw[sent:])
		sent += n
		if err != nil {
			return sent, err
		}
		if n == 0 {
			return sent, io.ErrShortWrite
		}
	}
	return len(raw), nil
}

func (s *serialLine) read() ([]byte, int, error) {
	for {
		for i, c := range s.rest {
			s.wire++
			if message, ok := s.frames.Next(c); ok {
				s.rest = s.rest[i+1:]
				wire := s.wire
				s.wire = 0
				return message, wire, nil
			}
		}
		n, err := s.port.Read(s.chunk)
		s.rest = s.chunk[:n]
		if n == 0 && err == nil {
			err = io.ErrNoProgress
		}
		if n == 0 {
			return nil, 0, err
		}
	}
}

func (s *serialLine) Close() error { return s.port.Close() }
