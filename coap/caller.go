package coap

import (
	"container/list"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
)

// CallerConfig configures a Caller; zero values mean the defaults.
type CallerConfig struct {
	MaxSessions int              // kept open; default 256, the least recently used goes first
	Random      io.Reader        // default crypto/rand.Reader
	Now         func() time.Time // default time.Now
}

// Caller makes protected requests and keeps their sessions: one for each service, capability and mirror. It opens a
// session with the first request, and again when the device has lost it. It is safe for concurrent use.
type Caller struct {
	cfg CallerConfig

	mu       sync.Mutex
	sessions map[sessionKey]*list.Element // of *held
	recent   *list.List
}

type sessionKey struct {
	service    edgeistry.ServiceID
	capability [sha256.Size]byte // of its text, so that no secret is kept in a key
	mirror     bool
}

// held is a place for one session. Whoever holds opening is the one who opens it.
type held struct {
	key     sessionKey
	opening chan struct{} // holds one token while somebody opens

	mu      sync.Mutex
	session *capability.Session // nil until opened
}

// sent is a request as it went out.
type sent struct {
	message *capability.Message
	session *capability.Session
	pending *capability.Pending
	mirror  bool
}

// NewCaller makes a Caller.
func NewCaller(cfg CallerConfig) *Caller {
	if cfg.MaxSessions <= 0 {
		cfg.MaxSessions = 256
	}
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Caller{
		cfg: cfg, sessions: make(map[sessionKey]*list.Element), recent: list.New(),
	}
}

// DefaultHold is shorter than capability.DefaultHold, since a POST that was refused without proof waits it out before it is made
// anew. A request that is under way for longer is refused as stale, with proof, and is made anew at once.
const DefaultHold = 3 * time.Second

// maxRetryAfter bounds how long a refusal may make a caller wait.
const maxRetryAfter = 5 * time.Second

// Request is what to ask. Message has code, path, queries and payload, and no option of the way.
type Request struct {
	Message *capability.Message
	Hold    time.Duration // how long the request may act after it was made; 0: DefaultHold
	Mirror  bool          // ask the mirror at a home node instead of the device
	Trace   bool          // ask for the time each leg took
}

// Result is an answer and what is known about it.
type Result struct {
	Response *capability.Message
	Verdict  capability.Verdict
	Legs     []Timing            // of the request itself, if asked for
	Took     time.Duration       // the request itself, without Opening
	Opening  time.Duration       // the hello before it; 0 if the session was open
	Opened   bool                // this request opened the session
	Request  *capability.Message // as it went out, protected
}

// Call sends a protected request to the capability's service through via, the entry of a node's proxy, and proves the
// answer. An answer that is an error gives the Result and a *Denied.
//
// What is tried again, each once: on an untagged reason 3, 4, 5 or 7, or 6 within a session, with a new session; on a tagged
// reason 10 with the tick of that answer; on reason 19 with the frames; after a failure of via the same bytes, which the
// device answers without acting twice. An untagged refusal proves nothing: whoever sent it may hold the request back and deliver
// it later. So a POST is made anew only when the one before can no longer act, that is after its hold.
func (c *Caller) Call(ctx context.Context, via Doer, with *capability.Capability, req Request) (*Result, error) {
	if req.Hold <= 0 {
		req.Hold = DefaultHold
	}
	h := c.hold(sessionKey{with.Service, sha256.Sum256([]byte(with.Text())), req.Mirror})
	var (
		again   retries
		opened  bool
		opening time.Duration
	)
	for {
		session, done, took, err := c.session(ctx, h, via, with, req)
		if err != nil {
			return nil, err
		}
		opening += took
		opened = opened || done != nil
		result, err := c.once(ctx, via, with.Service, session, req)
		if result != nil {
			result.Opened, result.Opening = opened, opening
		}
		if done != nil {
			done(session)
		}
		retry, renew := again.next(req, err, done != nil)
		if errors.Is(err, capability.ErrExhausted) {
			retry, renew = first(&again.session), true
		}
		if renew {
			h.drop(session)
		}
		if !retry || ctx.Err() != nil || !c.pause(ctx, req, err) {
			return result, err
		}
	}
}

// pause waits until a refused request may be made anew: as long as the refusal asks for, and if it is untagged and the request
// acts, until that request is over. It gives false if ctx ends before.
func (c *Caller) pause(ctx context.Context, req Request, err error) bool {
	var denied *Denied
	if !errors.As(err, &denied) || denied.ByDevice {
		return true
	}
	d := min(denied.RetryAfter, maxRetryAfter)
	if req.Message.Code != capability.CodeGET {
		d = max(d, req.Hold+capability.TickDuration)
	}
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// retries remembers what was tried again already.
type retries struct{ session, room, stale, frames, gone bool }

func first(done *bool) bool {
	was := *done
	*done = true
	return !was
}

// next decides what an outcome leads to: ask again, and with a new session. opening tells that the request was to open one.
func (r *retries) next(req Request, err error, opening bool) (retry, renew bool) {
	var denied *Denied
	if !errors.As(err, &denied) {
		return false, false
	}
	if denied.ByDevice {
		switch denied.Reason {
		case capability.ReasonStale:
			return first(&r.stale), false
		case capability.ReasonResultGone: // a read that ran and whose answer was lost
			return req.Message.Code == capability.CodeGET && first(&r.gone), false
		}
		return false, false
	}
	switch denied.Reason {
	case capability.ReasonCookie, capability.ReasonCookieUsed, capability.ReasonNoSession:
		return first(&r.session), true
	case capability.ReasonNoRoom: // the slots are others' for 2 s at least
		return first(&r.room), true
	case capability.ReasonTag: // the slot may belong to another session by now
		return !opening && first(&r.session), !opening
	case capability.ReasonNeedFrames:
		return first(&r.frames), false
	}
	return false, false
}

// session gives an open session, or a new one with done, which the caller must call when the first request is over.
func (c *Caller) session(ctx context.Context, h *held, via Doer, with *capability.Capability, req Request) (
	s *capability.Session, done func(*capability.Session), opening time.Duration, err error,
) {
	if s := h.open(); s != nil {
		return s, nil, 0, nil
	}
	select {
	case h.opening <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, 0, ended(ctx)
	}
	if s := h.open(); s != nil { // somebody else has just opened it
		<-h.opening
		return s, nil, 0, nil
	}
	began := c.cfg.Now()
	s, err = c.hello(ctx, via, with, req.Mirror)
	if err != nil {
		<-h.opening
		return nil, nil, 0, err
	}
	return s, func(s *capability.Session) {
		if s.Opened() {
			h.set(s)
		}
		<-h.opening
	}, c.cfg.Now().Sub(began), nil
}

func (c *Caller) hello(ctx context.Context, via Doer, with *capability.Capability, mirror bool) (*capability.Session, error) {
	hello, err := capability.NewHello(c.cfg.Random, with)
	if err != nil {
		return nil, fmt.Errorf("say hello: %w", err)
	}
	hello.Mirror = mirror
	m := hello.Message()
	m.Set(capability.OptionURIHost, []byte(with.Service.String()))
	resp, err := via.Do(ctx, m)
	if err != nil {
		return nil, fmt.Errorf("say hello: %w", err)
	}
	if !resp.Success() {
		return nil, newDenied(resp, false)
	}
	session, err := hello.Open(resp.Payload, c.cfg.Now())
	if err != nil {
		return nil, fmt.Errorf("say hello: %w", err)
	}
	return session, nil
}

// once protects and sends one request; after a failure of via the same bytes once more.
func (c *Caller) once(ctx context.Context, via Doer, service edgeistry.ServiceID, s *capability.Session, req Request) (*Result, error) {
	m := req.Message.Clone()
	pending, err := s.Protect(m, req.Hold, c.cfg.Now())
	if err != nil {
		return nil, fmt.Errorf("protect request: %w", err)
	}
	m.Set(capability.OptionURIHost, []byte(service.String()))
	if req.Trace {
		m.Set(capability.OptionTrace, nil)
	}
	out := &sent{message: m, session: s, pending: pending, mirror: req.Mirror}
	result, err := c.send(ctx, via, out)
	if err != nil && result == nil && ctx.Err() == nil && !errors.Is(err, ErrTooLarge) {
		result, err = c.send(ctx, via, out)
	}
	return result, err
}

// send gives a Result unless via failed.
func (c *Caller) send(ctx context.Context, via Doer, out *sent) (*Result, error) {
	began := c.cfg.Now()
	resp, err := via.Do(ctx, out.message)
	if err != nil {
		return nil, err
	}
	now := c.cfg.Now()
	result := &Result{Response: resp, Request: out.message, Took: now.Sub(began)}
	if trace, ok := resp.Get(capability.OptionTrace); ok {
		if legs, err := DecodeTrace(trace); err == nil { // hop-by-hop, for people only
			result.Legs = legs
		}
	}
	result.Verdict, err = out.session.Verify(out.pending, resp, now)
	proven := err == nil && result.Verdict.Tagged
	switch {
	case !resp.Success():
		return result, newDenied(resp, proven)
	case !proven && err != nil && !errors.Is(err, capability.ErrUntagged):
		return result, fmt.Errorf("%w: %w", ErrUnproven, err)
	case !proven:
		return result, ErrUnproven
	}
	return result, nil
}

// hold finds or makes the place of a session.
func (c *Caller) hold(key sessionKey) *held {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.sessions[key]; ok {
		c.recent.MoveToFront(e)
		return e.Value.(*held)
	}
	for c.recent.Len() >= c.cfg.MaxSessions {
		oldest := c.recent.Back()
		delete(c.sessions, oldest.Value.(*held).key)
		c.recent.Remove(oldest)
	}
	h := &held{key: key, opening: make(chan struct{}, 1)}
	c.sessions[key] = c.recent.PushFront(h)
	return h
}

// Forget drops all sessions with a service; the next call opens a new one.
func (c *Caller) Forget(service edgeistry.ServiceID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, e := range c.sessions {
		if key.service == service {
			delete(c.sessions, key)
			c.recent.Remove(e)
		}
	}
}

// open gives the session that is open, if any.
func (h *held) open() *capability.Session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.session
}

func (h *held) set(s *capability.Session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.session = s
}

// drop forgets s, unless another has taken its place already.
func (h *held) drop(s *capability.Session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.session == s {
		h.session = nil
	}
}

// Sessions tells how many sessions are kept.
func (c *Caller) Sessions() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.recent.Len()
}
