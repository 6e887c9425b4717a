package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/internal/retry"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
	"github.com/edgeistry/edgeistry/proxy"
)

const (
	deliverTime  = 5 * time.Second // for one attempt at a service
	deliverAgain = time.Second     // an attempt that failed a moment ago is not repeated for each request that waits for it
)

// deliverRetry is how long to wait between attempts.
var deliverRetry = retry.Backoff{First: time.Second, Last: 5 * time.Second}

// revoker tells one service what was revoked. There is one for each owned service, from the first revocation on.
type revoker struct {
	node *Node
	id   edgeistry.ServiceID
	turn chan struct{} // holds one token while an attempt is under way

	mu      sync.Mutex
	pending bool
	running bool // keep is at work
	tried   time.Time
	failure error         // of the last attempt
	changed chan struct{} // closed and replaced after each attempt
}

// revoker returns the one of a service.
func (n *Node) revoker(id edgeistry.ServiceID) *revoker {
	n.mu.Lock()
	defer n.mu.Unlock()
	r := n.revokers[id]
	if r == nil {
		r = &revoker{node: n, id: id, turn: make(chan struct{}, 1), changed: make(chan struct{})}
		n.revokers[id] = r
	}
	return r
}

// restoreRevocations takes up what was revoked before this start: what counts at this node does so before the node lets anybody in.
func (n *Node) restoreRevocations(context.Context) error {
	ids, err := n.state.Revocations.Services()
	if err != nil {
		return err
	}
	for _, id := range ids {
		known, err := n.state.Revocations.Get(id)
		if err != nil {
			return err // not to know what is revoked must not look like nothing being revoked
		}
		n.proxy.Deny(id, known.Fingerprints())
		for _, c := range known.Pending() {
			if err := n.anticipate(id, c); err != nil {
				return err
			}
		}
		if err := n.renew(id); err != nil {
			return err
		}
		if err := n.revoker(id).begin(); err != nil {
			return err
		}
	}
	return nil
}

// begin looks whether there is anything to tell, and starts to tell it.
func (r *revoker) begin() error {
	known, err := r.node.state.Revocations.Get(r.id)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending = len(known.Pending()) > 0
	r.tried, r.failure = time.Time{}, nil // that was of what is done by now
	if r.pending && !r.running {
		r.running = r.node.spawn(r.keep)
	}
	return nil
}

// keep tries until nothing is pending.
func (r *revoker) keep(ctx context.Context) {
	for failures := 0; ; {
		err := r.attempt(ctx)
		r.mu.Lock()
		if !r.pending || ctx.Err() != nil {
			r.running = false
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		if err == nil {
			continue // there is more by now
		}
		if failures++; failures == 1 {
			r.node.log.Info("a revocation waits for its service", "service", r.id, "error", err)
		}
		if !retry.Wait(ctx, deliverRetry.After(failures)) {
			continue
		}
	}
}

// isPending reports whether the service has not confirmed everything.
func (r *revoker) isPending() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pending
}

// last tells when delivery was tried last, and why it did not succeed.
func (r *revoker) last() (time.Time, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failure == nil {
		return r.tried, ""
	}
	return r.tried, r.failure.Error()
}

// settle waits until nothing is pending, an attempt has failed, or the time is over.
func (n *Node) settle(ctx context.Context, id edgeistry.ServiceID, limit time.Duration) {
	r := n.revoker(id)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		r.mu.Lock()
		changed, over := r.changed, !r.pending || r.failure != nil
		r.mu.Unlock()
		if over {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// deliverFirst is proxy.Config.First: what was revoked of a device reaches it before anything else, and then the time, if the device has
// started anew. A device that answers, but refuses to be told, is not held back from the rest.
func (n *Node) deliverFirst(ctx context.Context, id edgeistry.ServiceID) error {
	if err := n.deliverRevoked(ctx, id); err != nil {
		return err
	}
	d := n.device(id)
	if d == nil {
		return nil
	}
	err := d.tellTime(ctx)
	if _, away := n.proxy.Away(id); away && err != nil && !answered(err) {
		return fmt.Errorf("tell the time: %w: %w", coap.ErrTimeout, err)
	}
	return nil
}

func (n *Node) deliverRevoked(ctx context.Context, id edgeistry.ServiceID) error {
	n.mu.Lock()
	r := n.revokers[id]
	n.mu.Unlock()
	if r == nil || !r.isPending() {
		return nil
	}
	err := r.attempt(ctx)
	if err == nil || answered(err) {
		return nil
	}
	note(ctx, &api.Error{Kind: api.Timeout, Message: n.nameOf(id) + " does not answer; what was revoked must reach it before anything else", Action: "edgeistry cap revocations"})
	return fmt.Errorf("deliver what was revoked: %w: %w", coap.ErrTimeout, err)
}

// answered reports whether a failure is an answer of the service, if perhaps an unproven one, and not silence.
func answered(err error) bool {
	var denied *client.Denied
	return errors.As(err, &denied) && (denied.ByDevice || denied.Code>>5 == 4)
}

// attempt tells the service everything that is pending. One attempt is made at a time; who comes meanwhile gets its outcome.
func (r *revoker) attempt(ctx context.Context) error {
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-r.turn }()
	r.mu.Lock()
	pending, failure, tried := r.pending, r.failure, r.tried
	r.mu.Unlock()
	if !pending || (failure != nil && time.Since(tried) < deliverAgain) {
		return failure
	}
	err := r.deliver(ctx)
	if ctx.Err() != nil && err != nil {
		return err // who asked for it has gone; that says nothing of the service
	}
	known, kerr := r.node.state.Revocations.Get(r.id)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tried, r.failure = time.Now(), errors.Join(err, kerr)
	r.pending = kerr != nil || len(known.Pending()) > 0
	close(r.changed)
	r.changed = make(chan struct{})
	return r.failure
}

func (r *revoker) deliver(ctx context.Context) error {
	known, err := r.node.state.Revocations.Get(r.id)
	if err != nil {
		return err
	}
	for _, c := range known.Pending() {
		if err := r.tell(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// tell makes one change at the service, or finds out that it is made already, and keeps that.
func (r *revoker) tell(ctx context.Context, c state.Change) error {
	ctx, cancel := context.WithTimeoutCause(proxy.Foremost(ctx), deliverTime, coap.ErrTimeout)
	defer cancel()
	key, err := r.node.state.Keys.Get(r.id)
	if err != nil {
		return err
	}
	if c.Epoch == 0 || key.Epoch < c.Epoch {
		err = r.post(ctx, key, c)
	}
	if err != nil {
		return err
	}
	return r.node.confirmed(r.id, c)
}

// post asks the service to make a change. Which of the owner's capabilities the service takes shows how far it is: the present one; that of the
// generation before, if the owner's own is pending; that of the next epoch, if an answer was lost.
func (r *revoker) post(ctx context.Context, key *state.ServiceKey, c state.Change) error {
	generation := key.Generations[capability.BranchOwner]
	owners := []*capability.Capability{key.OwnerOf(generation)}
	if generation > 0 {
		owners = append(owners, key.OwnerOf(generation-1))
	}
	var err error
	for _, owner := range owners {
		if c.Epoch == 0 {
			err = r.postGeneration(ctx, owner, c)
		} else {
			err = r.postEpoch(ctx, owner, c)
		}
		if !ended(err) {
			return err
		}
	}
	if c.Epoch == 0 {
		return err
	}
	// Whoever proves a session under the next key has it.
	_, last := r.node.manager.Call(ctx, r.node.via(), key.Next(c.Secret).Owner(), client.Request{Message: client.Harmless()})
	var denied *client.Denied
	if last == nil || (errors.As(last, &denied) && denied.ByDevice) {
		return nil
	}
	return last
}

// ended reports whether a service said, without proof, that a capability is of another generation or epoch than its own.
func ended(err error) bool {
	var denied *client.Denied
	return errors.As(err, &denied) && !denied.ByDevice && (denied.Reason == capability.ReasonGeneration || denied.Reason == capability.ReasonEpoch)
}

func (r *revoker) postGeneration(ctx context.Context, owner *capability.Capability, c state.Change) error {
	m := &coap.Message{Code: coap.CodePOST, Payload: []byte{c.Branch, c.Generation}}
	if err := m.SetPath("/g"); err != nil {
		return err
	}
	_, err := r.node.manager.Call(ctx, r.node.via(), owner, client.Request{Message: m})
	var denied *client.Denied
	if errors.As(err, &denied) && denied.ByDevice && denied.Reason == capability.ReasonArgument {
		return nil // it is past that generation
	}
	return err
}

// postEpoch lets the session put the secret under its pad.
func (r *revoker) postEpoch(ctx context.Context, owner *capability.Capability, c state.Change) error {
	m := &coap.Message{Code: coap.CodePOST, Payload: append([]byte{byte(c.Epoch >> 8), byte(c.Epoch)}, c.Secret[:]...)}
	if err := m.SetPath("/e"); err != nil {
		return err
	}
	_, err := r.node.manager.Call(ctx, r.node.via(), owner, client.Request{Message: m})
	return err
}

// confirmed keeps that a service has made a change. Everything that goes by it is on disk before the change counts as done, and the key of
// the next epoch before the secret that it was made of goes.
func (n *Node) confirmed(id edgeistry.ServiceID, c state.Change) error {
	key, err := n.state.Keys.Get(id)
	if err != nil {
		return err
	}
	if c.Epoch > key.Epoch {
		_, err = n.advanced(id, c.Epoch, c.Secret)
	} else {
		err = n.renew(id)
	}
	if err != nil {
		return err
	}
	n.keys.Lock()
	defer n.keys.Unlock()
	known, err := n.state.Revocations.Get(id)
	if err != nil {
		return err
	}
	known.Finish(c, time.Now())
	if err := n.state.Revocations.Save(known); err != nil {
		return err
	}
	n.log.Info("a revocation is confirmed", "service", id, "what", c.String())
	return nil
}

// dropPending stops telling a service what was revoked: its device was reset to its factory state, which ended all of it.
func (n *Node) dropPending(id edgeistry.ServiceID) error {
	n.keys.Lock()
	defer n.keys.Unlock()
	known, err := n.state.Revocations.Get(id)
	if err != nil || len(known.Pending()) == 0 {
		return err
	}
	for _, c := range known.Pending() {
		known.Finish(c, time.Now())
	}
	if err := n.state.Revocations.Save(known); err != nil {
		return err
	}
	return n.revoker(id).begin()
}
