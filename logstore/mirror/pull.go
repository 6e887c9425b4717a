package mirror

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/internal/retry"
)

// State is how a pull is going.
type State string

const (
	Starting  State = "starting"
	Following State = "following"
	Retrying  State = "retrying" // no answer, or none that counts
	Refused   State = "refused"
	Forked    State = "forked" // the source has another history than the copy
)

// Config is what a Pull asks of its node. Each func may be called until Run returns.
type Config struct {
	Log Log
	Ask Ask
	// Wait returns how many seconds the home may let the next read wait for news; 0: it answers at once.
	Wait func() uint8
	// Begin is called before each read. An error of it counts as one of the read.
	Begin func(context.Context) error
	// Home names a home of the service that is connected, or returns "".
	Home   func() string
	Logger *slog.Logger
}

// Pull copies a log that another node is home to. It resumes at the last stored entry.
type Pull struct {
	cfg Config

	mu     sync.Mutex
	status Status
}

// Status is how a pull is going, and what it met last.
type Status struct {
	State  State
	From   string    // the home that it reads from
	Err    error     // why the last read failed; nil: it did not
	Failed time.Time // when Err was met
}

// NewPull returns a pull that Run starts.
func NewPull(cfg Config) *Pull {
	return &Pull{cfg: cfg, status: Status{State: Starting}}
}

// Status returns how the pull is going.
func (p *Pull) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// Forked reports whether the source has another history than the copy.
func (p *Pull) Forked() bool { return p.Status().State == Forked }

// Run follows the log until ctx ends.
func (p *Pull) Run(ctx context.Context) {
	f := &Follower{Log: p.cfg.Log, OfCopy: true, Ask: func(ctx context.Context, m *coap.Message) (*client.Result, error) {
		res, err := p.cfg.Ask(ctx, m)
		if err == nil && !p.Forked() {
			p.note(Following, nil)
		}
		return res, err
	}}
	_, _, _ = f.once(ctx) // shows the state of a quiet log soon; its failure shows again in the read that follows
	for failures := 0; ; {
		began := time.Now()
		f.wait = p.cfg.Wait()
		if failures > 0 { // the home may have another history now, which shows in its first answer
			f.wait = 0
		}
		stored := 0
		err := p.cfg.Begin(ctx)
		if err == nil {
			stored, err = f.CatchUp(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		var pause time.Duration
		switch {
		case err != nil:
			failures++
			pause = p.failed(err, failures)
		case stored > 0:
			failures = 0
		case f.wait == 0:
			failures, pause = 0, Idle
		default: // none after the home has let us wait
			failures, pause = 0, MinInterval-time.Since(began)
		}
		if err == nil && p.Forked() {
			p.note(Following, nil)
		}
		if !p.rest(ctx, max(pause, 0), failures > 0) {
			return
		}
	}
}

// failed notes an error, and returns how long to wait after it.
func (p *Pull) failed(err error, failures int) time.Duration {
	if failures == 1 {
		id := p.cfg.Log.ID()
		p.cfg.Logger.Warn("log is not copied from its home", "service", id.Service, "log", id.Name, "error", err)
	}
	switch {
	case isFork(err):
		p.note(Forked, err)
		return MaxInterval
	case Permanent(err):
		p.note(Refused, err)
		return MaxInterval
	case isOver(err): // without proof: it may be taken back, or be a lie of somebody on the way
		p.note(Refused, err)
	default:
		p.note(Retrying, err)
	}
	return Retry.After(failures)
}

// rest waits, after failures no longer than until a home of the service is connected.
func (p *Pull) rest(ctx context.Context, pause time.Duration, failed bool) bool {
	until := time.Now().Add(pause)
	there := failed && p.cfg.Home() != ""
	for {
		left := time.Until(until)
		if left <= 0 {
			return ctx.Err() == nil
		}
		if !retry.Wait(ctx, min(left, MinInterval)) {
			return false
		}
		if failed && !there && p.cfg.Home() != "" {
			return true
		}
	}
}

func (p *Pull) note(state State, err error) {
	status := Status{State: state, From: p.cfg.Home(), Err: err}
	if err != nil {
		status.Failed = time.Now()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status = status
}

// isOver reports whether a home said that the capability is over: denied by its list, or of an earlier generation or epoch. It
// says so without proof, since the key that would prove it is over.
func isOver(err error) bool {
	var denied *client.Denied
	if !errors.As(err, &denied) {
		return false
	}
	switch denied.Reason {
	case capability.ReasonDenyListed, capability.ReasonGeneration, capability.ReasonEpoch:
		return true
	}
	return false
}
