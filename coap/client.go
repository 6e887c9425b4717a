package coap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// maxAbandoned bounds the tokens whose answers nobody waits for any more; see Client.forget.
const maxAbandoned = 4096

// Client is the asking end of one stream. Many requests may be under way at once; each has its own token and its
// own deadline, and answers come in any order.
type Client struct {
	stream *stream
	slots  chan struct{}
	done   chan struct{} // closed when the reader has ended
	wg     sync.WaitGroup

	mu        sync.Mutex
	waiting   map[string]chan *Message // by token; nil: abandoned
	abandoned int
	err       error // why no request can be sent any more
}

// NewClient takes over conn, and sends its CSM. Close releases it.
func NewClient(conn Conn, cfg StreamConfig) *Client {
	s := newStream(conn, cfg)
	c := &Client{
		stream:  s,
		slots:   make(chan struct{}, s.cfg.MaxInFlight),
		done:    make(chan struct{}),
		waiting: make(map[string]chan *Message),
	}
	c.wg.Go(func() { _ = s.greet() }) // a failed write closes the stream, which the reader sees
	c.wg.Go(c.readAll)
	return c
}

// Do sends a request and waits for its answer, for a free place among those in flight, or for the end of ctx.
func (c *Client) Do(ctx context.Context, req *Message) (*Message, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.stream.cfg.Timeout, ErrTimeout)
	defer cancel()
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-c.done:
		return nil, c.Err()
	case <-ctx.Done():
		return nil, ContextError(ctx)
	}
	token, answer, err := c.expect()
	if err != nil {
		return nil, err
	}
	f := &frame{token: []byte(token), message: *req}
	if err := c.send(ctx, f); err != nil {
		c.forget(token, false)
		return nil, err
	}
	select {
	case resp := <-answer:
		return resp, nil
	case <-ctx.Done():
		c.forget(token, true)
		return nil, ContextError(ctx)
	case <-c.done:
		select { // the answer may have come with the end
		case resp := <-answer:
			return resp, nil
		default:
			return nil, c.Err()
		}
	}
}

// send writes f; what exceeds the base size waits until the other side has said what it takes.
func (c *Client) send(ctx context.Context, f *frame) error {
	err := c.stream.write(f)
	if !errors.Is(err, ErrTooLarge) || c.stream.isReady() {
		return err
	}
	select {
	case <-c.stream.ready:
		return c.stream.write(f)
	case <-c.done:
		return c.Err()
	case <-ctx.Done():
		return ContextError(ctx)
	}
}

// expect reserves a token.
func (c *Client) expect() (string, <-chan *Message, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return "", nil, c.err
	}
	for {
		token := string(NewToken())
		if _, taken := c.waiting[token]; taken {
			continue
		}
		answer := make(chan *Message, 1)
		c.waiting[token] = answer
		return token, answer, nil
	}
}

// forget releases a token. Of a request that was sent the token stays taken until its late answer
// comes, so that the answer cannot be given to another request.
func (c *Client) forget(token string, sent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if answer, ok := c.waiting[token]; !ok || answer == nil {
		return
	}
	delete(c.waiting, token)
	if !sent {
		return
	}
	if c.abandoned >= maxAbandoned {
		for old, answer := range c.waiting {
			if answer == nil {
				delete(c.waiting, old)
			}
		}
		c.abandoned = 0
	}
	c.waiting[token] = nil
	c.abandoned++
}

func (c *Client) readAll() {
	err := c.read()
	c.stop(err)
	c.stream.conn.Close()
	close(c.done)
}

func (c *Client) read() error {
	for {
		f, err := c.stream.read()
		if errors.Is(err, errRelease) {
			c.stop(fmt.Errorf("%w: %w", ErrClosed, err)) // what is under way may still be answered
			continue
		}
		if optionError := (*OptionError)(nil); errors.As(err, &optionError) {
			continue // an answer with an illegal option is none (RFC 7252 section 5.4.1); its asker times out
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				return ErrClosed
			}
			return fmt.Errorf("%w: %w", ErrClosed, err)
		}
		if f.message.Code>>5 < 2 {
			continue // a request: this end does not serve
		}
		c.deliver(f)
	}
}

func (c *Client) deliver(f *frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	answer, ok := c.waiting[string(f.token)]
	if !ok {
		return
	}
	delete(c.waiting, string(f.token))
	if answer == nil {
		c.abandoned--
		return
	}
	answer <- &f.message
}

func (c *Client) stop(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
}

// Err reports why no request can be sent any more; nil while requests can be sent.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the stream and waits for its goroutines. The other side gets a Release, or an Abort if requests are under way:
// these fail with ErrClosed, and nobody needs their answers. Close may be called twice.
func (c *Client) Close() error {
	if code, open := c.lastSignal(); open {
		c.stream.farewell(code)
	}
	c.stop(ErrClosed)
	_ = c.stream.conn.Close() // the peer may have closed it first
	c.wg.Wait()
	return nil
}

// lastSignal returns the signal that ends the stream (RFC 8323 sections 5.5 and 5.6). It reports whether the stream is open.
func (c *Client) lastSignal() (code uint8, open bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, false
	}
	if len(c.waiting) > 0 {
		return codeAbort, true
	}
	return codeRelease, true
}
