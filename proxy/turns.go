package proxy

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/edgeistry/edgeistry/coap"
)

var errQueueFull = errors.New("the device's queue is full")

// turns lets one request at a time through to a device. The others wait in a bounded queue, in which peers
// take turns: a peer with many requests delays another peer's by one at most. In a full queue the peer with the most
// requests gives up its newest one to a peer with fewer.
type turns struct {
	limit int

	mu      sync.Mutex
	busy    bool
	waiting int
	lines   map[string][]*waiter // of each peer that waits
	order   []string             // whose turn is next
}

type waiter struct {
	ready chan error // buffered: nil is the turn, errQueueFull the loss of the place
}

func newTurns(limit int) *turns { return &turns{limit: limit, lines: make(map[string][]*waiter)} }

// waits is when a request came to a device's queue, and how long it was in it.
type waits struct {
	since time.Time
	took  time.Duration
}

// takeTurn lets one request at a time through to the device.
func (d *device) takeTurn(ctx context.Context, r *request, next handler) (*coap.Message, error) {
	r.waits.since = time.Now()
	done, err := d.turns.wait(ctx, r.from.Peer)
	if err != nil {
		return nil, err
	}
	defer done()
	r.waits.took = time.Since(r.waits.since)
	return next(ctx, r)
}

// wait returns when it is the caller's turn; done must be called at its end.
func (t *turns) wait(ctx context.Context, peer string) (done func(), err error) {
	t.mu.Lock()
	if !t.busy {
		t.busy = true
		t.mu.Unlock()
		return t.done, nil
	}
	if t.waiting >= t.limit && !t.displace(peer) {
		t.mu.Unlock()
		return nil, errQueueFull
	}
	w := &waiter{ready: make(chan error, 1)}
	if len(t.lines[peer]) == 0 {
		t.order = append(t.order, peer)
	}
	t.lines[peer] = append(t.lines[peer], w)
	t.waiting++
	t.mu.Unlock()

	select {
	case err := <-w.ready:
		if err != nil {
			return nil, err
		}
		return t.done, nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	left := t.leave(peer, w)
	t.mu.Unlock()
	if !left && <-w.ready == nil { // the turn came at the same moment: pass it on
		t.done()
	}
	return nil, context.Cause(ctx)
}

// done passes the turn on.
func (t *turns) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.order) == 0 {
		t.busy = false
		return
	}
	peer := t.order[0]
	t.order = t.order[1:]
	line := t.lines[peer]
	w := line[0]
	if len(line) > 1 {
		t.lines[peer] = line[1:]
		t.order = append(t.order, peer)
	} else {
		delete(t.lines, peer)
	}
	t.waiting--
	w.ready <- nil
}

// displace makes room for peer by taking the newest request of the peer that has the most, if that is more than one
// above what peer would have. The caller holds mu.
func (t *turns) displace(peer string) bool {
	greedy := ""
	for _, other := range t.order {
		if greedy == "" || len(t.lines[other]) > len(t.lines[greedy]) {
			greedy = other
		}
	}
	if len(t.lines[greedy]) <= len(t.lines[peer])+1 {
		return false
	}
	line := t.lines[greedy]
	w := line[len(line)-1]
	t.leave(greedy, w)
	w.ready <- errQueueFull
	return true
}

// leave takes a waiter out of its line; false if it is in none any more. The caller holds mu.
func (t *turns) leave(peer string, w *waiter) bool {
	line := t.lines[peer]
	for i := range line {
		if line[i] != w {
			continue
		}
		t.waiting--
		if len(line) > 1 {
			t.lines[peer] = append(append([]*waiter(nil), line[:i]...), line[i+1:]...)
			return true
		}
		delete(t.lines, peer)
		for j := range t.order {
			if t.order[j] == peer {
				t.order = append(append([]string(nil), t.order[:j]...), t.order[j+1:]...)
				break
			}
		}
		return true
	}
	return false
}

func (t *turns) length() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.waiting
}
