package dht

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"

	"github.com/edgeistry/edgeistry/internal/dialerror"
	"github.com/edgeistry/edgeistry/internal/retry"
)

const (
	maxDials   = 16               // at once
	dialTime   = 12 * time.Second // for one: longer than a QUIC handshake, whose end would else hide the other causes
	lookupHost = 3 * time.Second  // to find out whether the name of a peer resolves
	maxTargets = 256              // seeds, good peers and neighbours together
)

// dialer keeps the node in touch with the mesh. Seeds are dialled in parallel, with backoff, for
// ever while they are not connected. Good peers of earlier runs and neighbours found by multicast
// are tried once, and again whenever the node is alone.
type dialer struct {
	h        host.Host
	log      *slog.Logger
	min, max time.Duration
	alone    func() bool                    // no member of the mesh is connected
	member   func(peer.ID) *dialerror.Error // why a connected peer is not in the mesh; nil: it is, or it has not said yet
	wake     chan struct{}

	mu      sync.Mutex
	targets map[peer.ID]*target
	ended   chan struct{} // closed and replaced when an attempt ends
}

type target struct {
	info     peer.AddrInfo
	seed     bool
	dialling bool
	tried    bool
	failures int       // in a row; a connection that ended soon counts as one
	since    time.Time // of the last success
	next     time.Time
	err      *dialerror.Error // why the peer is not connected as a member; nil: it is, or was not tried yet
}

func newDialer(h host.Host, log *slog.Logger, minimum, maximum time.Duration, alone func() bool, member func(peer.ID) *dialerror.Error) *dialer {
	return &dialer{
		h: h, log: log, min: minimum, max: maximum, alone: alone, member: member,
		wake:    make(chan struct{}, 1),
		targets: make(map[peer.ID]*target),
		ended:   make(chan struct{}),
	}
}

// add makes a peer a target. A peer that is one already gets the new addresses too.
func (d *dialer) add(info peer.AddrInfo, seed bool) {
	if info.ID == d.h.ID() || len(info.Addrs) == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.targets[info.ID]
	if t == nil {
		if len(d.targets) >= maxTargets && !seed {
			return
		}
		t = &target{}
		d.targets[info.ID] = t
	}
	t.info = info
	t.seed = t.seed || seed
	t.next = time.Time{}
	signal(d.wake)
}

// lost records that a connection ended. A seed is dialled again soon.
func (d *dialer) lost(p peer.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t := d.targets[p]; t != nil && !t.dialling {
		if time.Since(t.since) > d.max {
			t.failures = 0
		}
		t.failures++
		t.next = time.Now().Add(d.backoff(t.failures))
	}
	signal(d.wake)
}

// pending reports whether some target has not been tried yet, and returns a channel that is closed
// when the next attempt ends.
func (d *dialer) pending() (<-chan struct{}, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, t := range d.targets {
		if !t.tried {
			return d.ended, true
		}
	}
	return nil, false
}

// run dials until ctx ends, and returns when every attempt has ended.
func (d *dialer) run(ctx context.Context) {
	var dials sync.WaitGroup
	defer dials.Wait()
	slots := make(chan struct{}, maxDials)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		case <-timer.C:
		}
		due, next := d.due(time.Now())
		for _, info := range due {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			dials.Go(func() {
				d.dial(ctx, info)
				<-slots
				signal(d.wake)
			})
		}
		timer.Reset(next)
	}
}

// due marks the targets to dial now as dialling and gives them, and the time until the next is due.
func (d *dialer) due(now time.Time) ([]peer.AddrInfo, time.Duration) {
	alone := d.alone()
	d.mu.Lock()
	defer d.mu.Unlock()
	var infos []peer.AddrInfo
	next := d.max
	for p, t := range d.targets {
		if t.dialling || online(d.h, p) {
			t.tried = t.tried || !t.dialling
			continue
		}
		if !t.seed && t.tried && !alone {
			continue
		}
		if wait := t.next.Sub(now); wait > 0 {
			next = min(next, wait)
			continue
		}
		t.dialling = true
		infos = append(infos, t.info)
	}
	return infos, next
}

func (d *dialer) dial(ctx context.Context, info peer.AddrInfo) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	// The swarm has a backoff of its own, of 5 s and more, that would answer for the network.
	if s, ok := d.h.Network().(interface{ Backoff() *swarm.DialBackoff }); ok {
		s.Backoff().Clear(info.ID)
	}
	err := anyPath{d.h}.Connect(ctx, info)
	why := dialerror.Explain(err)
	switch {
	case err == nil:
		why = d.member(info.ID)
	case ctx.Err() == nil || dialerror.Explain(err).Cause != dialerror.Interrupted:
		why = d.named(info, why)
	}

	if why != nil && why.Cause == dialerror.OtherNode && why.Is == d.h.ID() {
		why.Text += "; that is this node's own ID: the address leads back here, or a copy of this node runs there"
	}

	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.targets[info.ID]
	t.dialling, t.tried = false, true
	d.noteLocked(info.ID, t, why)
	close(d.ended)
	d.ended = make(chan struct{})
	if err == nil {
		t.since = time.Now()
		return
	}
	t.failures++
	wait := d.backoff(t.failures)
	t.next = time.Now().Add(wait)
	d.log.Debug("peer not reachable", "peer", info.ID, "seed", t.seed, "next", wait, "error", err)
}

// named adds to the cause of a failure that a DNS name of the peer does not resolve: libp2p leaves
// such addresses out.
func (d *dialer) named(info peer.AddrInfo, why *dialerror.Error) *dialerror.Error {
	ctx, cancel := context.WithTimeout(context.Background(), lookupHost)
	defer cancel()
	lost := dialerror.LookUp(ctx, info.Addrs)
	switch {
	case lost == nil:
		return why
	case why.Cause == dialerror.NoAddress:
		return lost
	}
	return dialerror.Join(why, lost)
}

// noteLocked records why a peer is not connected as a member, and logs it for a seed when the cause
// changes.
func (d *dialer) noteLocked(p peer.ID, t *target, why *dialerror.Error) {
	before := t.err
	t.err = why
	if !t.seed || (before == nil) == (why == nil) && (why == nil || before.Cause == why.Cause && before.Is == why.Is) {
		return
	}
	if why == nil {
		d.log.Info("seed reached", "seed", p)
		return
	}
	d.log.Warn("seed not reached", "seed", p, "cause", why.Text)
}

// identified notes what a connected peer says about the meshes it is in.
func (d *dialer) identified(p peer.ID) {
	why := d.member(p)
	d.mu.Lock()
	defer d.mu.Unlock()
	if t := d.targets[p]; t != nil && online(d.h, p) {
		d.noteLocked(p, t, why)
	}
}

// backoff doubles with each failure, between the bounds, with 20 % of chance so that restarted
// nodes do not dial in step.
func (d *dialer) backoff(failures int) time.Duration {
	return backoff(d.min, d.max, failures)
}

func backoff(minimum, maximum time.Duration, failures int) time.Duration {
	return retry.Backoff{First: minimum, Last: maximum, Spread: 5}.After(failures)
}

// SeedState is what is known of a seed.
type SeedState struct {
	ID        peer.ID
	Connected bool
	Failures  int // attempts that failed, or connections that ended soon, in a row
	// Err is a *dialerror.Error: why the seed is not connected as a member of the mesh. nil: it is,
	// or it has not been tried yet.
	Err error
}

func (d *dialer) seeds() []SeedState {
	d.mu.Lock()
	defer d.mu.Unlock()
	var states []SeedState
	for p, t := range d.targets {
		if t.seed {
			s := SeedState{ID: p, Connected: online(d.h, p), Failures: t.failures}
			if t.err != nil { // a nil *Error in an error is not nil
				s.Err = t.err
			}
			states = append(states, s)
		}
	}
	slices.SortFunc(states, func(a, b SeedState) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return states
}

// signal wakes the reader of a channel of capacity 1.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
