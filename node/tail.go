package node

import (
	"context"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/node/api"
)

// Tail gives the entries that a request names, then each new one, until ctx ends or give returns an error. open is called once
// the log can be read, idle now and then while there is nothing new; both may be nil.
func (n *Node) Tail(ctx context.Context, r api.ReadRequest, open func() error, give func(api.Entry) error, idle func() error) error {
	s, err := n.sourceOf(ctx, r, true)
	if err != nil {
		return err
	}
	head, err := s.head(ctx)
	if err != nil {
		return err
	}
	if open != nil {
		if err := open(); err != nil {
			return err
		}
	}
	at := head.Place
	ahead := r.Incarnation == 0 && r.From > head.Sequence // named entries are still to come
	if (r.Last > 0 || r.From > 0 || r.Count > 0) && !ahead {
		entries, err := s.read(ctx, r, head)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := give(e); err != nil {
				return err
			}
			at = edgeistry.Place{Incarnation: e.Incarnation, Sequence: e.Sequence}
		}
	}
	return s.follow(ctx, at, give, idle)
}

// follow gives what comes after a place, as it comes.
func (s *source) follow(ctx context.Context, at edgeistry.Place, give func(api.Entry) error, idle func() error) error {
	quiet := time.Now()
	before := edgeistry.Place{}
	for {
		var changed <-chan struct{}
		if s.local != nil {
			changed = s.local.Changed()
		}
		entries, err := s.after(ctx, at)
		if err != nil {
			return err
		}
		for _, e := range entries {
			e.Gap = e.Gap || (before.Incarnation == e.Incarnation && e.Sequence != before.Sequence+1)
			if err := give(e); err != nil {
				return err
			}
			at = edgeistry.Place{Incarnation: e.Incarnation, Sequence: e.Sequence}
			before = at
		}
		if len(entries) > 0 {
			quiet = time.Now()
			continue
		}
		if idle != nil && time.Since(quiet) > tailIdle {
			quiet = time.Now()
			if err := idle(); err != nil {
				return err
			}
		}
		if !s.rest(ctx, changed) {
			return ctx.Err()
		}
	}
}

// rest waits for the next look: for an append here, or, where a device is asked, for a while.
func (s *source) rest(ctx context.Context, changed <-chan struct{}) bool {
	pause := s.node.cfg.MirrorInterval
	switch {
	case s.local != nil:
		pause = tailIdle
	case s.by != "device":
		pause = minPullInterval // the other node has let us wait already
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-changed:
	case <-t.C:
	case <-ctx.Done():
		return false
	}
	return true
}

// tailLines is Tail for the HTTP API.
func (n *Node) tailLines(ctx context.Context, r api.ReadRequest, l *lines) error {
	return n.Tail(ctx, r, l.blank, func(e api.Entry) error { return l.send(e) }, l.blank)
}
