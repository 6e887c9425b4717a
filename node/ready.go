package node

import (
	"context"
	"time"

	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/relay"
)

// Standings of a node in its mesh.
const (
	standingJoined  = "joined"
	standingAlone   = "alone"
	standingJoining = "joining"
)

const (
	readyCheck = 10 * time.Millisecond // how often a starting node looks whether it is ready
	// joinPatience is how long whoever started the node waits for the mesh. A site must work and keep its devices' logs while its
	// line is down, so a service manager must not take that for a failed start; status goes on to tell the truth.
	joinPatience = 20 * time.Second
)

// NotReady says what is missing for the node to be ready; "" if nothing is.
func (n *Node) NotReady() string {
	select {
	case <-n.stopped:
		return "the node is stopping"
	default:
	}
	if n.Err() != nil {
		return "the node cannot go on"
	}
	if n.readyMS.Load() == 0 && n.standing() == standingJoining {
		return "the mesh is not joined: no seed and no node known from before can be reached yet"
	}
	if c := n.relayed.Load(); c != nil && len(n.cfg.Listen) == 0 && len(n.cfg.RelayAddrs()) > 0 && !reserved(c) {
		return c.Status().String()
	}
	return ""
}

// standing says whether the node has joined its mesh: it is alone if it was told of no other node, and joining until it is
// connected to one.
func (n *Node) standing() string {
	switch {
	case len(n.registry.Peers()) > 0:
		return standingJoined
	case len(n.cfg.Seeds) == 0 && len(n.cfg.Relays) == 0:
		return standingAlone
	default:
		return standingJoining
	}
}

// reserved says whether a relay holds a place for this node.
func reserved(c *relay.Client) bool {
	for _, r := range c.Status().Relays {
		if r.State == relay.Reserved {
			return true
		}
	}
	return false
}

// awaitReady notes when the node is ready for the first time. It says so once, or after joinPatience that it is up without
// its mesh.
func (n *Node) awaitReady(ctx context.Context, ready func(*api.Status)) {
	tell := func() {
		if ready == nil {
			return
		}
		if s, err := n.Status(ctx); err == nil {
			ready(s)
		}
		ready = nil
	}
	t := time.NewTicker(readyCheck)
	defer t.Stop()
	for {
		why := n.NotReady()
		if why == "" {
			break
		}
		if ready != nil && time.Since(n.started) > joinPatience {
			n.log.Warn("up, but not part of the mesh yet", "missing", why)
			tell()
			t.Reset(time.Second)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
	n.readyMS.Store(uint64(max(1, time.Since(n.started).Microseconds())))
	tell()
}
