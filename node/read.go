package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/node/api"
)

// Read reads a log. Where the device does not answer and the capability has a mirror half, the copy at its home node is read instead,
// and the result says so.
func (n *Node) Read(ctx context.Context, r api.ReadRequest) (*api.ReadResult, error) {
	asked := r
	asked.Mirror = r.Mirror || r.Check
	t, err := n.target(r.Service)
	if err != nil {
		return nil, err
	}
	s, err := n.sourceOf(ctx, t, asked, false)
	if err != nil {
		return nil, err
	}
	other := s.copy()
	if r.Direct || other == nil {
		out, err := s.result(ctx, r)
		if err == nil && r.Check {
			err = n.check(ctx, s, r, out)
		}
		return out, err
	}
	first, cancel := halfTime(ctx)
	defer cancel()
	out, err := s.result(first, r)
	if err == nil || s.away == "" || ctx.Err() != nil {
		return out, err
	}
	out, second := other.result(ctx, r)
	if second != nil {
		return nil, other.notEither(err, second)
	}
	out.Copy.Away = s.away
	return out, nil
}

// halfTime leaves as much time again for what is tried next.
func halfTime(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(end)/2)
}

// copy returns the source that is the mirror of a device's log, or nil: it is that already, or the capabilities are for the service alone.
func (s *source) copy() *source {
	if s.local != nil || s.mirror || s.by != "device" {
		return nil
	}
	with, ok := s.with.MirrorHalf()
	if !ok {
		return nil
	}
	return &source{node: s.node, target: s.target, log: s.log, with: with, mirror: true, by: "mirror", wait: uint8(liveAgain / time.Second)}
}

// result reads what a request names.
func (s *source) result(ctx context.Context, r api.ReadRequest) (*api.ReadResult, error) {
	head, err := s.head(ctx)
	if err != nil {
		return nil, err
	}
	out := &api.ReadResult{Service: s.target.id.String(), Log: s.log, Head: api.HeadOf(head), By: s.by}
	entries, err := s.read(ctx, r, head)
	if err != nil {
		return nil, err
	}
	out.Entries = notNil(entries)
	out.Copy = s.copyText()
	return out, nil
}

// notEither is the error where neither the service answers nor the copy serves.
func (s *source) notEither(first, second error) error {
	failed := *s.node.asAPIError(first)
	failed.Tried = append(failed.Tried, fmt.Sprintf("the copy at %s: %s", s.homeText(), s.node.asAPIError(second).Message))
	return &failed
}

// copyText returns which copy a source is; nil: none.
func (s *source) copyText() *api.Copy {
	switch {
	case s.local == nil && s.mirror:
		return &api.Copy{Home: s.homeText(), AsOf: s.asOf}
	case s.local == nil || s.target.id == s.node.state.Keys.Own().ID:
		return nil
	}
	out := &api.Copy{Home: s.node.host.ID().String()}
	if d := s.node.device(s.target.id); d != nil {
		out.AsOf = d.asOf(s.log)
	}
	return out
}

// homeText names the node that keeps the copy.
func (s *source) homeText() string {
	if s.node.device(s.target.id) != nil {
		return s.node.host.ID().String()
	}
	return s.node.viaText(s.target.id)
}

// awayText returns why a service did not answer; empty: it did, or the request never got so far.
func awayText(err error) string {
	var denied *client.Denied
	switch {
	case errors.As(err, &denied):
		switch {
		case denied.ByDevice && denied.Passes():
			return "it does not know the time yet"
		case !denied.Passes() && (denied.ByDevice || denied.Code < coap.CodeInternal):
			return ""
		}
		return denied.Text()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, coap.ErrTimeout):
		return "no answer in time"
	}
	return ""
}

// check has the device prove the entries that a mirror gave. Every hash is that of the entry before it and the entry's own bytes, so
// what proves the last one proves all: the device says which hash its own entries after that begin with.
func (n *Node) check(ctx context.Context, s *source, r api.ReadRequest, out *api.ReadResult) error {
	if len(out.Entries) == 0 {
		return api.Errorf(api.Usage, "there is no entry to check")
	}
	direct := r
	direct.Mirror, direct.Check, direct.Direct = false, false, true
	device, err := n.sourceOf(ctx, s.target, direct, false)
	if err != nil {
		return err
	}
	chain := out.Entries
	for {
		for i := range chain[1:] {
			if chain[i+1].Prev != chain[i].Hash || chain[i+1].Incarnation != chain[i].Incarnation {
				return api.Errorf(api.Failed, "entries %d and %d of the copy are not one chain: a gap cannot be checked", chain[i].Sequence, chain[i+1].Sequence)
			}
		}
		last := chain[len(chain)-1]
		raw, err := device.ask(ctx, coap.Query{
			HasAfter: true, After: edgeistry.Place{Incarnation: last.Incarnation, Sequence: last.Sequence}, HasCount: true, Count: 1,
		})
		if err != nil {
			failed := *s.node.asAPIError(err)
			failed.Message = "the copy is not checked: " + failed.Message
			return &failed
		}
		next, err := coap.DecodeRange(raw)
		switch {
		case err != nil:
			return err
		case next.Incarnation != last.Incarnation || next.First <= last.Sequence:
			return api.Errorf(api.Failed, "the copy cannot be checked: the device is at %d.%d", next.Incarnation, next.First-1)
		case next.First == last.Sequence+1:
			if fmt.Sprintf("%x", next.Previous) != last.Hash {
				return &api.Error{
					Kind: api.Failed, Message: fmt.Sprintf("the copy is forged: the device's entry %d.%d has another hash", last.Incarnation, last.Sequence),
					Action: "read from the device itself: edgeistry log read --direct",
				}
			}
			if out.Copy == nil { // the node's own log
				out.Copy = &api.Copy{Home: n.host.ID().String()}
			}
			out.Copy.Checked = true
			return nil
		}
		// The device keeps only newer entries: the copy's must lead there.
		more, err := s.read(ctx, api.ReadRequest{
			From: last.Sequence + 1, Count: int(min(next.First-1-last.Sequence, maxEntries)), Incarnation: last.Incarnation,
		}, edgeistry.Head{})
		if err != nil {
			return err
		}
		if len(more) == 0 {
			return api.Errorf(api.Failed, "the copy cannot be checked: it ends at %d.%d, and the device keeps nothing before %d", last.Incarnation, last.Sequence, next.First)
		}
		chain = append([]api.Entry{last}, more...)
	}
}
