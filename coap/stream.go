package coap

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// Errors of links and streams.
var (
	// ErrClosed reports that the link or stream was closed, here or by the other side.
	ErrClosed = errors.New("closed")
	// ErrTimeout reports that no answer came in time.
	ErrTimeout = errors.New("no answer in time")
)

// ContextError reports why ctx ended; a deadline is ErrTimeout, whoever set it.
func ContextError(ctx context.Context) error {
	err := context.Cause(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	}
	return err
}

// StreamConfig bounds one stream. The zero value means the documented defaults.
type StreamConfig struct {
	MaxMessage   int           // bytes of a message from the other side; default MaxStream
	MaxInFlight  int           // requests under way; default 64
	Timeout      time.Duration // for one exchange, and for the rest of a message that has begun; default 40 s
	WriteTimeout time.Duration // for one message; default 10 s
	CSMTimeout   time.Duration // for the other side's first message, which is its CSM; default 5 s
}

func (cfg StreamConfig) withDefaults() StreamConfig {
	if cfg.MaxMessage <= 0 {
		cfg.MaxMessage = MaxStream
	}
	if cfg.MaxInFlight <= 0 {
		cfg.MaxInFlight = 64
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 40 * time.Second // more than the proxy's
	}
	if cfg.WriteTimeout <= 0 {
		cfg.WriteTimeout = 10 * time.Second
	}
	if cfg.CSMTimeout <= 0 {
		cfg.CSMTimeout = 5 * time.Second
	}
	return cfg
}

// Conn is a stream of bytes with deadlines: a mesh stream, or a net.Conn.
type Conn interface {
	io.ReadWriteCloser
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
}

// stream is what both ends share: framing, limits and signalling.
type stream struct {
	conn Conn
	in   *bufio.Reader
	cfg  StreamConfig

	greetBy   time.Time     // when the other side's CSM must have come
	peerLimit atomic.Uint32 // the largest message the other side takes
	ready     chan struct{} // closed when the other side's CSM has come

	writing sync.Mutex
	greeted bool // our CSM went out
}

func newStream(conn Conn, cfg StreamConfig) *stream {
	cfg = cfg.withDefaults()
	s := &stream{
		conn: conn, in: bufio.NewReaderSize(conn, 4096), cfg: cfg,
		greetBy: time.Now().Add(cfg.CSMTimeout), ready: make(chan struct{}),
	}
	s.peerLimit.Store(baseStreamSize)
	return s
}

// write sends one message. After an error other than ErrTooLarge the stream is of no more use and is closed.
func (s *stream) write(f *frame) error {
	raw, err := f.append(nil)
	if err != nil {
		return err
	}
	if limit := s.peerLimit.Load(); uint64(len(raw)) > uint64(limit) {
		return fmt.Errorf("%w: %d bytes, the other side takes %d", ErrTooLarge, len(raw), limit)
	}
	return s.put(raw)
}

// greet sends the CSM, unless a message has brought it along already.
func (s *stream) greet() error { return s.put(nil) }

// put writes bytes, after the CSM.
func (s *stream) put(raw []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if !s.greeted {
		csm := &frame{message: Message{Code: codeCSM}}
		csm.message.AddUint(optionMaxMessageSize, uint32(s.cfg.MaxMessage))
		first, err := csm.append(nil)
		if err != nil {
			return err
		}
		raw = append(first, raw...)
		s.greeted = true
	}
	if len(raw) == 0 {
		return nil
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.cfg.WriteTimeout)); err != nil {
		s.conn.Close()
		return fmt.Errorf("%w: %w", ErrClosed, err)
	}
	if _, err := s.conn.Write(raw); err != nil {
		s.conn.Close()
		return fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return nil
}

func (s *stream) abort() {
	_ = s.write(&frame{message: Message{Code: codeAbort}}) // the stream is closed next, whatever comes of it
}

// farewellTimeout bounds the signal that ends a stream: nobody waits longer for a peer that does not read.
const farewellTimeout = 200 * time.Millisecond

// farewell sends a signal before the stream is closed: Release or Abort. The signal is left out while another message is
// being written, since the other side may not be reading.
func (s *stream) farewell(code uint8) {
	if !s.writing.TryLock() {
		return
	}
	defer s.writing.Unlock()
	if !s.greeted {
		return
	}
	raw, err := (&frame{message: Message{Code: code}}).append(nil)
	if err == nil && s.conn.SetWriteDeadline(time.Now().Add(farewellTimeout)) == nil {
		_, _ = s.conn.Write(raw) // the stream is closed next, whatever comes of it
	}
}

// await returns when the first byte of a message is there. Before the other side's CSM it waits until greetBy, and without
// end after it.
func (s *stream) await() error {
	if !s.isReady() {
		if err := s.conn.SetReadDeadline(s.greetBy); err != nil {
			return err
		}
	}
	_, err := s.in.Peek(1)
	if err != nil && !s.isReady() && !time.Now().Before(s.greetBy) {
		s.farewell(codeAbort)
		return fmt.Errorf("%w: no CSM within %v", ErrTimeout, s.cfg.CSMTimeout)
	}
	return err
}

// read returns the next message that is no signal, or errRelease once. Between messages it waits without end;
// a message that has begun must be complete in time. An *OptionError comes with the message's code and token.
func (s *stream) read() (*frame, error) {
	for {
		if err := s.await(); err != nil {
			return nil, err
		}
		deadline := s.greetBy
		if s.isReady() {
			deadline = time.Now().Add(s.cfg.Timeout)
		}
		if err := s.conn.SetReadDeadline(deadline); err != nil {
			return nil, err
		}
		f, err := readFrame(s.in, s.cfg.MaxMessage)
		if err := s.conn.SetReadDeadline(time.Time{}); err != nil {
			return nil, err
		}
		if optionError := (*OptionError)(nil); err != nil && !errors.As(err, &optionError) {
			if errors.Is(err, ErrMalformed) || errors.Is(err, ErrTooLarge) {
				s.abort()
			}
			return nil, err
		}
		if f.isSignal() {
			if err := s.signal(f); err != nil {
				return nil, err
			}
			continue
		}
		if !s.isReady() {
			s.abort()
			return nil, fmt.Errorf("%w: the first message is no CSM", ErrMalformed)
		}
		if f.message.Code == CodeEmpty { // RFC 8323 section 3.4: ignored
			continue
		}
		return f, err
	}
}

var errRelease = errors.New("released by the other side")

func (s *stream) isReady() bool {
	select {
	case <-s.ready:
		return true
	default:
		return false
	}
}

func (s *stream) signal(f *frame) error {
	if f.message.Code != codeCSM && f.message.Code != codeAbort && !s.isReady() {
		s.abort()
		return fmt.Errorf("%w: the first message is no CSM", ErrMalformed)
	}
	switch f.message.Code {
	case codeCSM:
		for _, o := range f.message.Options {
			if o.Number&1 == 1 {
				s.abort()
				return fmt.Errorf("%w: critical CSM option %d", ErrMalformed, o.Number)
			}
		}
		if limit, ok := f.message.GetUint(optionMaxMessageSize); ok && limit >= 64 {
			s.peerLimit.Store(limit)
		}
		if !s.isReady() {
			close(s.ready)
		}
	case codePing:
		return s.write(&frame{token: f.token, message: Message{Code: codePong}})
	case codePong:
	case codeRelease:
		return errRelease
	case codeAbort:
		return fmt.Errorf("%w: aborted by the other side", ErrClosed)
	}
	return nil
}

// NewToken returns a token of 2 unpredictable bytes, so that somebody who cannot see a request
// cannot answer it either.
func NewToken() []byte {
	token := make([]byte, 2)
	_, _ = rand.Read(token) // never fails: crypto/rand ends the program first
	return token
}

// Errors of device links.
var (
	// ErrLinkDown reports that the line is not there: no such tty, or unplugged.
	ErrLinkDown = errors.New("link is down")
	// ErrReset reports that the device did not accept the message (RFC 7252 section 4.2).
	ErrReset = errors.New("reset by the device")
)
