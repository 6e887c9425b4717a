package proxy

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/edgeistry/edgeistry/coap"
)

var errQueueFull = errors.New("the device's queue is full")

// class is who asks, as far as the queue of a device goes.
type class int

const (
	own    class = iota // callers in this process, and the node itself
	proved              // peers that a service answered with a tagged success
	unproved
	classes
)

// turns lets one request at a time through to a device. The others wait in bounded queues. The classes take turns, and in each
// class peers take turns: a peer with many requests delays another peer's by one at most. Requests of this node have places of
// their own. Proved and unproved peers share the rest: each may fill it, and gives up what exceeds its half when the other comes. In a full
// queue the peer with the most requests gives up its newest one to a peer of its class with fewer, and among unproved peers the one that
// has the least left of its ration of openings gives up its place to one that has more: who asks all the time yields to a newcomer.
type turns struct {
	limit int // of requests of this node that wait, and of all others together

	mu     sync.Mutex
	busy   bool
	last   class // whose turn it is or was
	queues [classes]queue
}

// queue is what waits in one class.
type queue struct {
	waiting int
	lines   map[string][]*waiter // of each peer that waits
	order   []string             // whose turn is next
}

type waiter struct {
	ready  chan error // buffered: nil is the turn, errQueueFull the loss of the place
	credit float64    // what is left of the sender's ration of openings
}

func newTurns(limit int) *turns {
	t := &turns{limit: limit}
	for c := range t.queues {
		t.queues[c].lines = make(map[string][]*waiter)
	}
	return t
}

// waits is when a request came to a device's queue, and how long it was in it.
type waits struct {
	since time.Time
	took  time.Duration
}

// takeTurn lets one request at a time through to the device.
func (d *device) takeTurn(ctx context.Context, r *request, next handler) (*coap.Message, error) {
	r.waits.since = time.Now()
	done, err := d.turns.wait(ctx, r.class(), r.from.Peer, r.credit)
	if err != nil {
		return nil, err
	}
	defer done()
	r.waits.took = time.Since(r.waits.since)
	return next(ctx, r)
}

// class returns the class of the request's sender.
func (r *request) class() class {
	switch {
	case r.from.Local:
		return own
	case r.proved:
		return proved
	}
	return unproved
}

// wait returns when it is the caller's turn; done must be called at its end.
func (t *turns) wait(ctx context.Context, c class, peer string, credit float64) (done func(), err error) {
	t.mu.Lock()
	if !t.busy {
		t.busy, t.last = true, c
		t.mu.Unlock()
		return t.done, nil
	}
	if !t.makeRoom(c, peer, credit) {
		t.mu.Unlock()
		return nil, errQueueFull
	}
	q := &t.queues[c]
	w := q.join(peer, credit)
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
	left := q.leave(peer, w)
	t.mu.Unlock()
	if !left && <-w.ready == nil { // the turn came at the same moment: pass it on
		t.done()
	}
	return nil, context.Cause(ctx)
}

// done passes the turn on, to the class after the last one that has requests waiting.
func (t *turns) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range classes {
		c := (t.last + 1 + i) % classes
		if t.queues[c].waiting > 0 {
			t.last = c
			t.queues[c].next().ready <- nil
			return
		}
	}
	t.busy = false
}

// makeRoom reports whether there is a place for a request. It may take another one's. The caller holds mu.
func (t *turns) makeRoom(c class, peer string, credit float64) bool {
	mine := &t.queues[c]
	if c == own {
		return mine.waiting < t.limit || mine.displace(peer)
	}
	other := &t.queues[proved+unproved-c]
	switch {
	case mine.waiting+other.waiting < t.limit:
		return true
	case mine.waiting < t.limit/2:
		other.drop(other.greediest())
		return true
	}
	return mine.displace(peer) || c == unproved && mine.outrank(credit)
}

func (t *turns) length() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := 0
	for c := range t.queues {
		all += t.queues[c].waiting
	}
	return all
}

// join adds a request of peer. The caller holds the mutex of turns, as for every method of queue.
func (q *queue) join(peer string, credit float64) *waiter {
	w := &waiter{ready: make(chan error, 1), credit: credit}
	if len(q.lines[peer]) == 0 {
		q.order = append(q.order, peer)
	}
	q.lines[peer] = append(q.lines[peer], w)
	q.waiting++
	return w
}

// next takes the request out whose turn it is. There must be one.
func (q *queue) next() *waiter {
	peer := q.order[0]
	q.order = q.order[1:]
	line := q.lines[peer]
	if len(line) > 1 {
		q.lines[peer] = line[1:]
		q.order = append(q.order, peer)
	} else {
		delete(q.lines, peer)
	}
	q.waiting--
	return line[0]
}

// greediest returns the peer with the most requests.
func (q *queue) greediest() string {
	greedy := ""
	for _, other := range q.order {
		if greedy == "" || len(q.lines[other]) > len(q.lines[greedy]) {
			greedy = other
		}
	}
	return greedy
}

// displace makes room for peer by taking the newest request of the peer that has the most, if that is more than one
// above what peer would have.
func (q *queue) displace(peer string) bool {
	greedy := q.greediest()
	if len(q.lines[greedy]) <= len(q.lines[peer])+1 {
		return false
	}
	q.drop(greedy)
	return true
}

// outrank makes room by taking a request of the peer with the least credit, if that is more than one below credit.
func (q *queue) outrank(credit float64) bool {
	poorest, least := "", credit-1
	for _, other := range q.order {
		line := q.lines[other]
		if has := line[len(line)-1].credit; has < least {
			poorest, least = other, has
		}
	}
	if poorest == "" {
		return false
	}
	q.drop(poorest)
	return true
}

// drop refuses the newest request of a peer that waits.
func (q *queue) drop(peer string) {
	line := q.lines[peer]
	w := line[len(line)-1]
	q.leave(peer, w)
	w.ready <- errQueueFull
}

// leave takes a waiter out of its line; false if it is in none any more.
func (q *queue) leave(peer string, w *waiter) bool {
	line := q.lines[peer]
	i := slices.Index(line, w)
	if i < 0 {
		return false
	}
	q.waiting--
	if len(line) > 1 {
		q.lines[peer] = slices.Delete(slices.Clone(line), i, i+1)
		return true
	}
	delete(q.lines, peer)
	q.order = slices.DeleteFunc(slices.Clone(q.order), func(other string) bool { return other == peer })
	return true
}
