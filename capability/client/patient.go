package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/coap"
)

const (
	// maxRetryAfter is the longest pause that a caller makes because a refusal asks for it. A refusal that asks for a longer one is
	// returned at once: a person wants to know.
	maxRetryAfter = 5 * time.Second
	// maxPatience bounds all pauses of one call. A context with a deadline bounds them, too.
	maxPatience = time.Minute
	// clockPause and clockPatience are for a verifier that does not know the time yet. Its home node sets the clock within
	// seconds after a start.
	clockPause    = 500 * time.Millisecond
	clockPatience = 5 * time.Second
	// maxOpening is how many sessions a caller opens at one service at the same time. A home node rations hellos and opens, so many
	// at once would use up the ration with hellos alone, and their cookies would be too old when the opens get their turn.
	maxOpening = 4
)

// patient sends a request again, the same bytes, while a node on the way is too busy for it (4.29, or 5.03 with Max-Age, without a
// proof and without a reason of the device). The same bytes may always be sent again: a duplicate never runs twice.
type patient struct {
	coap.Doer
	waited time.Duration // in all pauses
}

func (p *patient) Do(ctx context.Context, req *coap.Message) (*coap.Message, error) {
	for {
		resp, err := p.Doer.Do(ctx, req)
		if err != nil {
			return resp, err
		}
		after, busy := isBusy(resp)
		if !busy {
			return resp, nil
		}
		if !p.pause(ctx, after) {
			return resp, nil
		}
	}
}

// isBusy reports whether a node on the way asks to come again, and when.
func isBusy(resp *coap.Message) (after time.Duration, busy bool) {
	if resp.Code != coap.CodeTooManyRequests && resp.Code != coap.CodeUnavailable {
		return 0, false
	}
	if _, tagged := resp.Get(coap.OptionResponse); tagged || len(resp.Payload) > 0 && resp.Payload[0] < 0x20 {
		return 0, false
	}
	age, ok := resp.GetUint(coap.OptionMaxAge)
	return time.Duration(age) * time.Second, ok && age > 0
}

// pause waits d and up to as long again, so that many callers do not come again all at once. It returns false at once if d is too
// long, or if ctx would end before.
func (p *patient) pause(ctx context.Context, d time.Duration) bool {
	left := maxPatience - p.waited
	if end, ok := ctx.Deadline(); ok {
		left = min(left, time.Until(end))
	}
	if d > maxRetryAfter || d >= left || ctx.Err() != nil {
		return false
	}
	d = min(d+rand.N(d+1), left)
	p.waited += d
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// rest returns the pause that a refusal asks for, if it asks for one.
func (p *patient) rest(ctx context.Context, err error) bool {
	var denied *Denied
	if !errors.As(err, &denied) || denied.RetryAfter <= 0 {
		return true
	}
	return p.pause(ctx, min(denied.RetryAfter, maxRetryAfter))
}

// told adds to a refusal how long the caller waited.
func (p *patient) told(err error) error {
	var denied *Denied
	if errors.As(err, &denied) {
		denied.Waited = p.waited
	}
	return err
}

// passing reports whether a refusal by the device is one that passes by itself: the device has just started and does not know the time
// yet. The tag proves that the request did not run.
func passing(err error) bool {
	var denied *Denied
	return errors.As(err, &denied) && denied.ByDevice && denied.Passes()
}

// gates let a few callers at a time open a session at one service.
type gates struct {
	mu    sync.Mutex
	known map[edgeistry.ServiceID]*gate
}

type gate struct {
	places chan struct{} // holds a token for each session that is being opened
	users  int           // who holds or awaits a place; guarded by gates.mu
}

// enter waits for a place. leave must be called once.
func (g *gates) enter(ctx context.Context, id edgeistry.ServiceID) (leave func(), err error) {
	g.mu.Lock()
	one := g.known[id]
	if one == nil {
		one = &gate{places: make(chan struct{}, maxOpening)}
		g.known[id] = one
	}
	one.users++
	g.mu.Unlock()
	release := func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if one.users--; one.users == 0 {
			delete(g.known, id)
		}
	}
	select {
	case one.places <- struct{}{}:
		return func() { <-one.places; release() }, nil
	case <-ctx.Done():
		release()
		return nil, coap.ContextError(ctx)
	}
}
