package client

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
	"github.com/edgeistry/edgeistry/coap"
)

// Config configures a Caller; zero values mean the defaults.
type Config struct {
	MaxSessions int              // kept open; default 256, the least recently used goes first
	Random      io.Reader        // default crypto/rand.Reader
	Now         func() time.Time // default time.Now
}

// Caller makes protected requests and keeps their sessions: one for each service and everything that proves a request there. It opens a
// session with the first request, and again when the device has lost it. It is safe for concurrent use.
type Caller struct {
	cfg Config

	gates gates

	mu       sync.Mutex
	sessions map[sessionKey]*list.Element // of *held
	recent   *list.List
}

type sessionKey struct {
	service edgeistry.ServiceID
	proof   [sha256.Size]byte // of the texts of all that proves it, so that no secret is kept in a key
	mirror  bool
	private bool
}

// key returns the place of the session for a request.
func key(with *capability.Capability, req *Request) sessionKey {
	h := sha256.New()
	fmt.Fprintln(h, with.Text())
	for _, c := range req.Also {
		fmt.Fprintln(h, c.Text())
	}
	for _, d := range req.Discharges {
		fmt.Fprintln(h, d.Text())
	}
	k := sessionKey{service: with.Service, mirror: req.Mirror, private: req.Private}
	h.Sum(k.proof[:0])
	return k
}

// held is a place for one session. Whoever holds opening is the one who opens it.
type held struct {
	key     sessionKey
	opening chan struct{} // holds one token while somebody opens

	mu      sync.Mutex
	session *capability.Session // nil until opened
	proved  time.Time           // when the device last answered in it with proof
}

// sent is a request as it went out.
type sent struct {
	message *coap.Message
	session *capability.Session
	pending *capability.Pending
}

// New returns a Caller.
func New(cfg Config) *Caller {
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
		gates: gates{known: make(map[edgeistry.ServiceID]*gate)},
	}
}

// DefaultHold is shorter than capability.DefaultHold: what is held back on the way is soon worth nothing, and a request that was under way
// for longer is refused as stale, with proof, and made anew at once.
const DefaultHold = 3 * time.Second

// provedFor is how long a session counts as alive after an answer with proof: as long as a device keeps a new session from
// being evicted (docs/spec/capability.md, Opening).
const provedFor = 2 * time.Second

// Request is what to ask. Message has code, path, queries and payload, and no option of the way.
type Request struct {
	Message *coap.Message
	Hold    time.Duration // how long the request may act after it was made; 0: DefaultHold
	Mirror  bool          // ask the mirror at a home node instead of the device
	Trace   bool          // ask for the time each leg took

	Also       []*capability.Capability // prove the request too, and all their frames must hold as well
	Discharges []*capability.Discharge  // the words of guards that frames demand
	Private    bool                     // hide names and payloads from everybody on the way
}

// Result is an answer and what is known about it.
type Result struct {
	Response *coap.Message
	Verdict  capability.Verdict
	Legs     []coap.Timing // of the request itself, if asked for
	Took     time.Duration // the request itself, without Opening
	Opening  time.Duration // the hello before it; 0 if the session was open
	Opened   bool          // this request opened the session
	Request  *coap.Message // as it went out, protected
	Sequence uint32        // of the request in its session
	Boot     uint32        // the service's boot counter, if Opened
}

// Call sends a protected request to the capability's service through via, the entry of a node's proxy, and proves the
// answer. An answer that is an error gives the Result and a *Denied.
//
// A question (GET) is asked anew, each once: on an untagged reason 3, 4 or 7, or 6 within a session, with a new session, and on 5 up to five times; on a tagged
// reason 10 with the tick of that answer; on reason 19, and on 28 within a session, with the frames.
//
// A request that acts (POST) is never made anew on a refusal without proof: whoever sent that may have had the request executed
// and thrown the answer away, or may keep it to deliver it later. It is sent only in a session that has proved itself a moment ago,
// if need be by a question that changes nothing, and made anew only on a tagged reason 10, which says that it did not run. Otherwise
// the *Denied has Unknown set. After a failure of via the same bytes are sent again, which the device answers without acting twice.
//
// Call waits out what passes, within the time of ctx: a node on the way that asks to come again (the same bytes are sent again), and a
// device that does not know the time yet.
func (c *Caller) Call(ctx context.Context, via coap.Doer, with *capability.Capability, req Request) (*Result, error) {
	if req.Hold <= 0 {
		req.Hold = DefaultHold
	}
	h := c.hold(key(with, &req))
	way := &patient{Doer: via}
	send := c.act
	if req.Message.Code == coap.CodeGET {
		send = c.ask
	}
	for began := c.cfg.Now(); ; {
		result, err := send(ctx, h, way, with, req)
		if !passing(err) || c.cfg.Now().Sub(began) > clockPatience || !way.pause(ctx, clockPause) {
			return result, way.told(err)
		}
	}
}

// ask sends a question, which may be asked again.
func (c *Caller) ask(ctx context.Context, h *held, via *patient, with *capability.Capability, req Request) (*Result, error) {
	var (
		again   retries
		opened  bool
		opening time.Duration
	)
	for {
		waited := via.waited
		session, done, took, err := c.session(ctx, h, via, with, req)
		if err != nil {
			return nil, err
		}
		opening += took
		opened = opened || done != nil
		result, err := c.once(ctx, via, with.Service, session, req)
		if result != nil {
			result.Opened, result.Opening = opened, opening
			h.note(result, c.cfg.Now())
		}
		if done != nil {
			done(session)
		}
		if result != nil && over(result) {
			h.drop(session)
		}
		if via.waited > waited { // what is old now was not when it was made
			again.session, again.window = false, false
		}
		retry, renew := again.next(err, done != nil)
		if errors.Is(err, capability.ErrExhausted) {
			retry, renew = first(&again.session), true
		}
		if renew {
			h.drop(session)
		}
		if !retry || ctx.Err() != nil || !via.rest(ctx, err) {
			return result, err
		}
	}
}

// act sends a request that changes something.
func (c *Caller) act(ctx context.Context, h *held, via *patient, with *capability.Capability, req Request) (*Result, error) {
	var (
		stale   bool
		opened  bool
		opening time.Duration
	)
	for {
		session := h.proven(c.cfg.Now())
		if session == nil {
			question := req
			question.Message, question.Trace = Harmless(), false
			proof, err := c.ask(ctx, h, via, with, question)
			if proof == nil || !proof.Verdict.Tagged {
				return proof, err
			}
			opened, opening = opened || proof.Opened, opening+proof.Opening+proof.Took
			session = h.proven(c.cfg.Now())
			if session == nil && over(proof) {
				return proof, err
			}
			if session == nil {
				return proof, fmt.Errorf("%w: its session ended at once", ErrUnproven)
			}
		}
		waited := via.waited
		result, err := c.once(ctx, via, with.Service, session, req)
		if result != nil {
			result.Opened, result.Opening = opened, opening
			h.note(result, c.cfg.Now())
			if over(result) {
				h.drop(session)
			}
		}
		if via.waited > waited {
			stale = false
		}
		var denied *Denied
		switch {
		case errors.Is(err, capability.ErrExhausted):
			h.drop(session) // nothing was sent
			continue
		case !errors.As(err, &denied):
			return result, err
		case denied.ByDevice && denied.Reason == capability.ReasonStale && first(&stale) && ctx.Err() == nil:
			continue
		case !denied.ByDevice && denied.here:
			// Nothing was sent, so it did not run.
		case !denied.ByDevice:
			h.doubt()
			denied.unknown()
		}
		return result, err
	}
}

// Harmless asks for what no service has: the answer is proved and nothing changes. No frame is asked, so no count is raised and no
// token of a rate is taken.
func Harmless() *coap.Message {
	m := &coap.Message{Code: coap.CodeGET}
	m.Add(coap.OptionURIPath, []byte("-"))
	return m
}

// retries remembers what was tried again already.
type retries struct {
	session, stale, frames, gone, window bool

	room int
}

// maxRoom is how often a caller comes back for want of room: a refusal asks for 2 s, and the longest that room can be wanting is the 10 s for
// which a verifier remembers the cookies that opened sessions.
const maxRoom = 5

func first(done *bool) bool {
	was := *done
	*done = true
	return !was
}

// next decides what an outcome leads to: ask again, and with a new session. opening reports that
// the request was to open one.
func (r *retries) next(err error, opening bool) (retry, renew bool) {
	var denied *Denied
	if !errors.As(err, &denied) {
		return false, false
	}
	if denied.ByDevice {
		switch denied.Reason {
		case capability.ReasonStale:
			return first(&r.stale), false
		case capability.ReasonResultGone: // it ran and its answer was lost
			return first(&r.gone), false
		}
		return false, false
	}
	switch denied.Reason {
	case capability.ReasonCookie, capability.ReasonCookieUsed, capability.ReasonNoSession:
		return first(&r.session), true
	case capability.ReasonSequence: // others of this session overtook it while it waited its turn
		return first(&r.window), false
	case capability.ReasonNoRoom: // the slots are others' for 2 s at least
		r.room++
		return r.room <= maxRoom, true
	case capability.ReasonTag: // the slot may belong to another session by now
		return !opening && first(&r.session), !opening
	case capability.ReasonNeedFrames:
		return first(&r.frames), false
	case capability.ReasonDenyListed: // what is denied may have taken the slot from this session: the frames tell them apart
		return !opening && first(&r.frames), false
	}
	return false, false
}

// session returns an open session, or a new one with done, which the caller must call when the
// first request is over.
func (c *Caller) session(ctx context.Context, h *held, via *patient, with *capability.Capability, req Request) (
	s *capability.Session, done func(*capability.Session), opening time.Duration, err error,
) {
	if s := h.open(); s != nil {
		return s, nil, 0, nil
	}
	select {
	case h.opening <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, 0, coap.ContextError(ctx)
	}
	if s := h.open(); s != nil { // somebody else has just opened it
		<-h.opening
		return s, nil, 0, nil
	}
	leave, err := c.gates.enter(ctx, with.Service)
	if err != nil {
		<-h.opening
		return nil, nil, 0, err
	}
	began := c.cfg.Now()
	s, err = c.hello(ctx, via, with, req)
	if err != nil {
		leave()
		<-h.opening
		return nil, nil, 0, err
	}
	return s, func(s *capability.Session) {
		if s.Opened() {
			h.set(s)
		}
		leave()
		<-h.opening
	}, c.cfg.Now().Sub(began), nil
}

func (c *Caller) hello(ctx context.Context, via *patient, with *capability.Capability, req Request) (*capability.Session, error) {
	hello, err := with.NewHello(c.cfg.Random)
	if err != nil {
		return nil, fmt.Errorf("say hello: %w", err)
	}
	hello.Mirror, hello.Also, hello.Discharges = req.Mirror, req.Also, req.Discharges
	m := hello.Message()
	m.Set(coap.OptionURIHost, []byte(with.Service.String()))
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
	if req.Private {
		session.EnablePrivacy()
	}
	return session, nil
}

// once protects and sends one request; after a failure of via the same bytes once more.
func (c *Caller) once(ctx context.Context, via *patient, service edgeistry.ServiceID, s *capability.Session, req Request) (*Result, error) {
	m := req.Message.Clone()
	pending, err := s.Protect(m, req.Hold, c.cfg.Now())
	if err != nil {
		return nil, fmt.Errorf("protect request: %w", err)
	}
	m.Set(coap.OptionURIHost, []byte(service.String()))
	if req.Trace {
		m.Set(coap.OptionTrace, nil)
	}
	out := &sent{message: m, session: s, pending: pending}
	result, err := c.send(ctx, via, out)
	if err != nil && result == nil && ctx.Err() == nil && !errors.Is(err, coap.ErrTooLarge) {
		result, err = c.send(ctx, via, out)
		if denied, ok := errors.AsType[*Denied](err); ok {
			denied.here = false // the first attempt may have got through
		}
	}
	return result, err
}

// send returns a Result unless via failed.
func (c *Caller) send(ctx context.Context, via *patient, out *sent) (*Result, error) {
	began := c.cfg.Now()
	waited := via.waited
	tracked, unsent := coap.TrackUnsent(ctx)
	resp, err := via.Do(tracked, out.message)
	if err != nil {
		return nil, err
	}
	here := unsent.Load() && via.waited == waited // after a wait an earlier attempt may have got through
	now := c.cfg.Now()
	result := &Result{Response: resp, Request: out.message, Sequence: out.pending.Sequence(), Took: now.Sub(began)}
	result.Boot, _ = out.pending.Boot()
	if trace, ok := resp.Get(coap.OptionTrace); ok {
		if legs, err := coap.DecodeTrace(trace); err == nil { // hop-by-hop, for people only
			result.Legs = legs
		}
	}
	result.Verdict, err = out.session.Verify(out.pending, resp, now)
	proven := err == nil && result.Verdict.Tagged
	switch {
	case !resp.Success():
		denied := newDenied(resp, proven)
		denied.here = here
		return result, denied
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

// note records when the device proved itself.
func (h *held) note(r *Result, now time.Time) {
	if r.Verdict.Tagged {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.proved = now
	}
}

// over reports whether a session is of no more use after a proved refusal: one with a wrong
// discharge has ended, and one that opened before its cell was reserved never counts.
func over(r *Result) bool {
	v := r.Verdict
	_, _, discharge := v.Place()
	return v.Tagged && (v.Reason == capability.ReasonDenied && v.Constraint == capability.TypeThirdParty && discharge ||
		v.Reason == capability.ReasonNotEvaluable && v.Constraint == capability.TypeCount)
}

// doubt lets the next request that acts ask first whether the session is alive.
func (h *held) doubt() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.proved = time.Time{}
}

// proven returns the session if the device has proved itself in it a moment ago.
func (h *held) proven(now time.Time) *capability.Session {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now.Sub(h.proved) > provedFor {
		return nil
	}
	return h.session
}

// open returns the session that is open, if any.
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
