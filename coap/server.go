package coap

import (
	"context"
	"errors"
	"io"
	"sync"
)

// ServeConn answers the requests of one stream until it ends or ctx does, and closes conn. Every request runs in a
// goroutine of its own, so a slow one holds up no other; beyond MaxInFlight a request is refused with 4.29 instead of
// making the rest wait. A stream that the other side releases (RFC 8323 section 5.5), or closes in its direction, is
// closed when the requests under way are answered. An Abort, a reset, or the end of ctx ends the requests' contexts.
// ServeConn returns when all requests have ended. The error is nil if the other side closed the stream.
func ServeConn(ctx context.Context, conn Conn, h Handler, from Source, cfg StreamConfig) error {
	ctx, cancel := context.WithCancel(ctx)
	s := newStream(conn, cfg)
	var wg sync.WaitGroup
	var requests sync.WaitGroup
	defer wg.Wait()
	defer requests.Wait()
	defer conn.Close()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()

	wg.Go(func() { _ = s.greet() }) // a failed write closes the stream, which the reader sees
	slots := make(chan struct{}, s.cfg.MaxInFlight)
	answers := make(chan struct{}, s.cfg.MaxInFlight) // being written; they count no more as under way
	released := false
	for {
		f, err := s.read()
		if errors.Is(err, errRelease) {
			if !released {
				released = true
				wg.Go(func() {
					requests.Wait()
					conn.Close() // the reader sees it
				})
			}
			continue // the reader notices an Abort or a reset while the last answers are made
		}
		if optionError := (*OptionError)(nil); errors.As(err, &optionError) {
			if released || f.message.Code>>5 != 0 {
				continue
			}
			f.message = *optionError.Refusal()
			if err := s.write(f); err != nil {
				return err
			}
			continue
		}
		if errors.Is(err, io.EOF) {
			requests.Wait() // the other side may have closed its direction only
			return nil
		}
		if err != nil {
			if released || ctx.Err() != nil {
				return nil
			}
			return err
		}
		if released || f.message.Code>>5 != 0 {
			continue // a request after the release, or an answer: this end asks nothing
		}
		select {
		case slots <- struct{}{}:
			requests.Go(func() {
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
