package coap

import (
	"context"
	"errors"
	"io"
	"sync"
)

// ServeConn answers the requests of one stream until it ends or ctx does, and closes conn. Every request runs in a
// goroutine of its own, so a slow one holds up no other; beyond MaxInFlight a request is refused with 4.29 instead of
// making the rest wait. It returns when all of them have. The error is nil if the other side closed the stream.
func ServeConn(ctx context.Context, conn Conn, h Handler, from Source, cfg StreamConfig) error {
	ctx, cancel := context.WithCancel(ctx)
	s := newStream(conn, cfg)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer conn.Close()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()

	wg.Go(func() { _ = s.greet() }) // a failed write closes the stream, which the reader sees
	slots := make(chan struct{}, s.cfg.MaxInFlight)
	answers := make(chan struct{}, s.cfg.MaxInFlight) // being written; they count no more as under way
	for {
		f, err := s.read()
		if optionError := (*OptionError)(nil); errors.As(err, &optionError) {
			if f.message.Code>>5 != 0 {
				continue
			}
			f.message = *optionError.Refusal()
			if err := s.write(f); err != nil {
				return err
			}
			continue
		}
		if errors.Is(err, io.EOF) || errors.Is(err, errRelease) || (err != nil && ctx.Err() != nil) {
			return nil
		}
		if err != nil {
			return err
		}
		if f.message.Code>>5 != 0 {
			continue // an answer: this end asks nothing
		}
		select {
		case slots <- struct{}{}:
			wg.Go(func() {
				resp := s.serve(ctx, h, from, f)
				answers <- struct{}{}
				<-slots
				s.answer(f.token, resp)
				<-answers
			})
		default:
			if err := s.write(&frame{token: f.token, message: *TooMany(1)}); err != nil {
				return err
			}
		}
	}
}

func (s *stream) serve(ctx context.Context, h Handler, from Source, f *frame) *Message {
	ctx, cancel := context.WithTimeoutCause(ctx, s.cfg.Timeout, ErrTimeout)
	defer cancel()
	return h.ServeCoAP(ctx, from, &f.message)
}

func (s *stream) answer(token []byte, resp *Message) {
	if resp == nil {
		return
	}
	if err := s.write(&frame{token: token, message: *resp}); err != nil && !errors.Is(err, ErrClosed) {
		_ = s.write(&frame{token: token, message: Message{Code: CodeInternal}})
	}
}

// TooMany is 4.29 with the seconds after which to come again (RFC 8516).
func TooMany(seconds uint32) *Message {
	return later(CodeTooManyRequests, seconds)
}

// Unavailable is 5.03 with the seconds after which to come again (RFC 7252 section 5.9.3.4).
func Unavailable(seconds uint32) *Message {
	return later(CodeUnavailable, seconds)
}

func later(code uint8, seconds uint32) *Message {
	m := &Message{Code: code}
	m.AddUint(OptionMaxAge, seconds)
	return m
}
