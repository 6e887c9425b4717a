package node

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/edgeistry/edgeistry/dht"
	"github.com/edgeistry/edgeistry/internal/dialerror"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/relay"
)

// Standings of a node in its mesh.
const (
	standingJoined  = "joined"
	standingAlone   = "alone"
	standingJoining = "joining"
)

// meshCheck is how often a node looks whether its standing in the mesh has changed.
const meshCheck = time.Second

// NotReady returns what is missing for the node to serve its site, and "" if nothing is. The mesh does not count: a site
// must work while its line is down, and a service manager must not take that for a failed start.
func (n *Node) NotReady() string {
	select {
	case <-n.stopped:
		return "the node is stopping"
	default:
	}
	if n.Err() != nil {
		return "the node cannot go on"
	}
	return ""
}

// NotInMesh returns what is missing for the node to take part in its mesh, and "" if nothing is. It tells the present
// state: a node that loses all others is not in the mesh any more.
func (n *Node) NotInMesh() string {
	if why := n.NotReady(); why != "" {
		return why
	}
	if n.standing() == standingJoining {
		return "the mesh is not joined: " + n.whyAlone()
	}
	if c := n.relayed.Load(); c != nil && len(n.cfg.Listen) == 0 && len(n.relays()) > 0 && !reserved(c) {
		return c.Status().String()
	}
	return ""
}

// whyAlone returns why each seed is not reached, in one line.
func (n *Node) whyAlone() string {
	var texts []string
	for _, s := range n.registry.Status().Seeds {
		switch {
		case s.Err != nil:
			texts = append(texts, fmt.Sprintf("seed %s: %v", s.ID, s.Err))
		case !s.Connected:
			texts = append(texts, fmt.Sprintf("seed %s: no answer yet", s.ID))
		}
	}
	if len(texts) == 0 {
		return "no node of the mesh is connected yet"
	}
	return strings.Join(texts, "; ")
}

// standing returns whether the node has joined its mesh: it is alone if it was told of no other node, and joining until it
// is connected to one.
func (n *Node) standing() string {
	switch {
	case len(n.registry.Peers()) > 0:
		return standingJoined
	case len(n.seeds()) == 0 && len(n.relays()) == 0:
		return standingAlone
	default:
		return standingJoining
	}
}

// seeds returns the nodes to join the mesh by, without this node itself, which may stand in a list that all nodes share.
func (n *Node) seeds() []peer.AddrInfo { return n.others(n.cfg.SeedAddrs()) }

// relays returns the nodes to be relayed by, without this node itself.
func (n *Node) relays() []peer.AddrInfo { return n.others(n.cfg.RelayAddrs()) }

func (n *Node) others(infos []peer.AddrInfo) []peer.AddrInfo {
	var out []peer.AddrInfo
	for _, info := range infos {
		if info.ID != n.host.ID() {
			out = append(out, info)
		}
	}
	return out
}

// seedStates returns how it stands with each seed, for the API.
func (n *Node) seedStates() []api.Seed {
	out := []api.Seed{}
	for _, s := range n.registry.Status().Seeds {
		one := api.Seed{ID: s.ID.String(), Connected: s.Connected, Failures: s.Failures}
		one.Cause, one.Problem = seedProblem(s)
		out = append(out, one)
	}
	return out
}

// reserved reports whether a relay holds a place for this node.
func reserved(c *relay.Client) bool {
	for _, r := range c.Status().Relays {
		if r.State == relay.Reserved {
			return true
		}
	}
	return false
}

// watchStanding calls ready once, at once, and state whenever the text of the node's standing in the mesh changes, until ctx
// ends.
func (n *Node) watchStanding(ctx context.Context, ready func(*api.Status), state func(string)) {
	n.readyMS.Store(uint64(max(1, time.Since(n.started).Microseconds())))
	if ready != nil {
		if s, err := n.Status(ctx); err == nil {
			ready(s)
		}
	}
	tick := time.NewTicker(meshCheck)
	defer tick.Stop()
	last, before := "", ""
	for {
		if now := n.standing(); now != before {
			before = now
			n.log.Info("standing in the mesh", "mesh", n.cfg.Mesh, "standing", now)
		}
		if text := n.standingText(); text != last {
			last = text
			if state != nil {
				state(text)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// standingText returns the node's standing in the mesh in one line.
func (n *Node) standingText() string {
	why := n.NotInMesh()
	switch {
	case why != "":
		return fmt.Sprintf("serves its site; mesh %s: %s", n.cfg.Mesh, why)
	case n.standing() == standingAlone:
		return fmt.Sprintf("serves its site; mesh %s: alone, no seed is configured", n.cfg.Mesh)
	default:
		return "in mesh " + n.cfg.Mesh
	}
}

// seedProblem returns the cause why a seed is not connected as a member, and its text; "" if it is, or has not been tried.
func seedProblem(s dht.SeedState) (cause, text string) {
	if s.Err == nil {
		return "", ""
	}
	return string(causeOf(s.Err)), s.Err.Error()
}

// causeOf returns the cause of a failed attempt to reach a node.
func causeOf(err error) dialerror.Cause { return dialerror.Explain(err).Cause }
