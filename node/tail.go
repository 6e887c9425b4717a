package node

import (
	"context"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/logstore/mirror"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/server"
)

// How a device that is away is followed.
const (
	liveTime  = 10 * time.Second // for a device to answer before the copy is asked
	liveAgain = 5 * time.Second  // between attempts at a device that was away, at least
)

// tail is one reader that follows a log.
type tail struct {
	live   *source
	copy   *source // what is followed while a device is away; nil: nothing
	to     server.Listener
	first  time.Duration    // for the first answer of a device
	at     edgeistry.Place  // of the entry before the next
	before edgeistry.Place  // of the last entry that was given
	quiet  time.Time        // since when nothing was given
	asked  *api.ReadRequest // the entries that are to be given first; nil: they were
}

// Tail returns the entries that a request names, then each new one, until ctx ends. Where the device does not answer and the capability has a
// mirror half, the copy at its home node is followed instead, until the device is back.
func (n *Node) Tail(ctx context.Context, r api.ReadRequest, to server.Listener) error {
	service, err := n.target(r.Service)
	if err != nil {
		return err
	}
	s, err := n.sourceOf(ctx, service, r, true)
	if err != nil {
		return err
	}
	t := &tail{live: s, to: to, first: liveTime, quiet: time.Now(), asked: &r}
	if limit := time.Duration(r.TimeoutMS) * time.Millisecond; limit > 0 {
		t.first = min(t.first, limit/2)
	}
	if !r.Direct {
		t.copy = s.copy()
	}
	for {
		err := t.followLive(ctx)
		if t.copy == nil || s.away == "" || ctx.Err() != nil {
			return err
		}
		second := t.followCopy(ctx)
		if second != nil && t.asked != nil {
			return t.copy.notEither(err, second)
		}
		if second != nil {
			return second
		}
	}
}

// begin says where entries come from now, and gives those that were named.
func (t *tail) begin(ctx context.Context, s *source) error {
	head, err := s.head(ctx)
	if err != nil {
		return err
	}
	out := api.Source{By: s.by, Head: api.HeadOf(head), Copy: s.copyText()}
	if s == t.copy {
		out.Copy.Away = t.live.away
	}
	if err := t.to.Source(out); err != nil || t.asked == nil {
		return err
	}
	r := *t.asked
	at := head.Place
	ahead := r.Incarnation == 0 && r.From > head.Sequence // named entries are still to come
	var entries []api.Entry
	if (r.Last > 0 || r.From > 0 || r.Count > 0) && !ahead {
		if entries, err = s.read(ctx, r, head); err != nil {
			return err
		}
	}
	t.at, t.asked = at, nil
	return t.give(entries)
}

// give passes entries on.
func (t *tail) give(entries []api.Entry) error {
	for _, e := range entries {
		e.Gap = e.Gap || (t.before.Incarnation == e.Incarnation && e.Sequence != t.before.Sequence+1)
		if err := t.to.Entry(e); err != nil {
			return err
		}
		t.at = edgeistry.Place{Incarnation: e.Incarnation, Sequence: e.Sequence}
		t.before = t.at
		t.quiet = time.Now()
	}
	return nil
}

// followLive follows the log itself until that fails.
func (t *tail) followLive(ctx context.Context) error {
	if err := t.bounded(ctx, t.first, func(ctx context.Context) error { return t.begin(ctx, t.live) }); err != nil {
		return err
	}
	for {
		var changed <-chan struct{}
		if t.live.local != nil {
			changed = t.live.local.Changed()
		}
		var entries []api.Entry
		err := t.bounded(ctx, liveTime, func(ctx context.Context) (err error) {
			entries, err = t.live.after(ctx, t.at)
			return err
		})
		if err != nil {
			return err
		}
		if err := t.give(entries); err != nil {
			return err
		}
		if len(entries) > 0 {
			continue
		}
		if err := t.idle(); err != nil {
			return err
		}
		if !t.live.rest(ctx, changed) {
			return ctx.Err()
		}
	}
}

// followCopy follows the copy until the device answers again.
func (t *tail) followCopy(ctx context.Context) error {
	if err := t.begin(ctx, t.copy); err != nil {
		return err
	}
	for tried := time.Now(); ; {
		entries, err := t.copy.after(ctx, t.at) // the home lets it wait for news
		if err != nil {
			return err
		}
		if err := t.give(entries); err != nil {
			return err
		}
		if err := t.idle(); err != nil {
			return err
		}
		if time.Since(tried) >= liveAgain {
			err := t.bounded(ctx, liveTime, func(ctx context.Context) error { _, err := t.live.head(ctx); return err })
			if err == nil || t.live.away == "" {
				return err
			}
			tried = time.Now()
		}
		if !t.copy.rest(ctx, nil) {
			return ctx.Err()
		}
	}
}

// bounded asks within a time if there is a copy to fall back to.
func (t *tail) bounded(ctx context.Context, limit time.Duration, ask func(context.Context) error) error {
	if t.copy == nil {
		return ask(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return ask(ctx)
}

func (t *tail) idle() error {
	if time.Since(t.quiet) <= tailIdle {
		return nil
	}
	t.quiet = time.Now()
	return t.to.Idle()
}

// rest waits for the next look: for an append here, or, where a device is asked, for a while.
func (s *source) rest(ctx context.Context, changed <-chan struct{}) bool {
	pause := s.node.cfg.MirrorInterval
	switch {
	case s.local != nil:
		pause = tailIdle
	case s.wait > 0:
		pause = mirror.MinInterval // the other node has let us wait already
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-ctx.Done():
		return false
	}
	return true
}
