package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/dht"
	"github.com/edgeistry/edgeistry/node/state"
)

// nodeBoard is what the manifest of a node's own service names as its board.
const nodeBoard = "node"

const (
	publishSettle = 300 * time.Millisecond // after a change of addresses, before records name the new ones
	publishTime   = 15 * time.Second       // for one record
	publishRetry  = 5 * time.Second
	offerCheck    = 5 * time.Second // how often a node looks whether its own service offers other logs than it published
)

// publisher keeps the records of this node's services published: at the start, at a third of their validity, and when the node's
// addresses or its own logs change.
type publisher struct {
	node   *Node
	events event.Subscription
	addrs  []ma.Multiaddr     // as published last
	offer  edgeistry.Manifest // of the node's own service, as published last
	due    chan struct{}      // holds one token when records are to be published anew
}

func newPublisher(n *Node) (*publisher, error) {
	events, err := n.host.EventBus().Subscribe(new(event.EvtLocalAddressesUpdated), eventbus.Name("edgeistry publisher"))
	if err != nil {
		return nil, fmt.Errorf("watch addresses: %w", err)
	}
	return &publisher{node: n, events: events, due: make(chan struct{}, 1)}, nil
}

// again lets every record be published anew soon.
func (p *publisher) again() {
	select {
	case p.due <- struct{}{}:
	default:
	}
}

// twinNoticed publishes this node's records again, so that another node with this identity notices this one, too.
func (n *Node) twinNoticed() {
	if n.publisher != nil {
		n.publisher.again()
	}
}

// run publishes until ctx ends.
func (p *publisher) run(ctx context.Context) {
	defer p.events.Close()
	every := p.node.cfg.RecordValidity / 3
	timer := time.NewTimer(0)
	defer timer.Stop()
	look := time.NewTicker(offerCheck)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			if slices.Equal(p.offer.Logs, p.node.manifestOf(p.node.state.Keys.Own().ID).Logs) {
				continue
			}
		case <-p.events.Out():
			if slices.EqualFunc(p.addrs, p.node.publicAddrs(), ma.Multiaddr.Equal) {
				continue
			}
			timer.Reset(publishSettle)
			continue
		case <-p.due:
		case <-timer.C:
		}
		if p.all(ctx) {
			timer.Reset(every)
		} else {
			timer.Reset(min(every, publishRetry))
		}
	}
}

// all publishes every record; false if one failed.
func (p *publisher) all(ctx context.Context) bool {
	p.addrs = p.node.publicAddrs()
	p.offer = p.node.manifestOf(p.node.state.Keys.Own().ID)
	ok := true
	keys, err := p.node.publishedKeys()
	if err != nil {
		p.node.log.Error("services are not published", "error", err)
		return false
	}
	for _, k := range keys {
		if _, err := p.node.publish(ctx, k); err != nil && ctx.Err() == nil {
			p.node.log.Warn("service is not published", "service", k.ID, "error", err)
			ok = false
		}
	}
	return ok
}

// publishedKeys returns the keys of the services that this node speaks for: its own and its devices'.
func (n *Node) publishedKeys() ([]*state.ServiceKey, error) {
	keys := []*state.ServiceKey{n.state.Keys.Own()}
	var bad error
	for _, d := range n.deviceList() {
		k, err := n.state.Keys.Get(d.Service)
		if err != nil {
			bad = errors.Join(bad, err)
			continue
		}
		keys = append(keys, k)
	}
	if len(keys) == 1 && bad != nil {
		return keys, bad
	}
	return keys, nil
}

// publish puts the present record of a service into the registry and says how many other nodes stored it.
func (n *Node) publish(ctx context.Context, k *state.ServiceKey) (acks int, err error) {
	private, err := k.Private()
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, publishTime)
	defer cancel()
	now := time.Now()
	return n.registry.Publish(ctx, private, dht.Record{
		Service:   k.ID,
		NotBefore: now,
		Expiry:    now.Add(n.cfg.RecordValidity),
		Homes:     []peer.AddrInfo{{ID: n.host.ID(), Addrs: n.publicAddrs()}},
		Manifest:  n.manifestOf(k.ID),
	})
}

// manifestOf returns what a service of this node offers, within the limits of a record.
func (n *Node) manifestOf(id edgeistry.ServiceID) edgeistry.Manifest {
	if d := n.device(id); d != nil {
		m := d.manifest()
		m.Logs = m.Logs[:min(len(m.Logs), dht.MaxLogs)]
		m.Functions = m.Functions[:min(len(m.Functions), dht.MaxFuncs)]
		return m
	}
	m := n.ownManifest()
	m.Logs = m.Logs[:min(len(m.Logs), dht.MaxLogs)]
	return m
}

// publicAddrs returns the addresses that records name, the most useful first, at most as many as a record may hold:
// those that the configuration announces, those through relays, public ones, private ones. Loopback addresses are named
// only if there are no other direct ones.
func (n *Node) publicAddrs() []ma.Multiaddr {
	announced, _ := multiaddrs(n.cfg.Announce) // the node does not start with one that is no address
	addrs := rankAddrs(n.host.Addrs(), announced)
	return addrs[:min(len(addrs), dht.MaxAddrs)]
}

// Ranks of addresses in a record.
const (
	rankAnnounced = iota
	rankRelayed
	rankPublic
	rankPrivate
	rankLoopback
)

func rankAddrs(addrs, announced []ma.Multiaddr) []ma.Multiaddr {
	rank := func(a ma.Multiaddr) int {
		_, err := a.ValueForProtocol(ma.P_CIRCUIT)
		switch {
		case slices.ContainsFunc(announced, a.Equal):
			return rankAnnounced
		case err == nil:
			return rankRelayed
		case manet.IsIPLoopback(a):
			return rankLoopback
		case manet.IsPublicAddr(a):
			return rankPublic
		default:
			return rankPrivate
		}
	}
	var sorted []ma.Multiaddr
	for _, a := range addrs {
		if !slices.ContainsFunc(sorted, a.Equal) {
			sorted = append(sorted, a)
		}
	}
	slices.SortStableFunc(sorted, func(a, b ma.Multiaddr) int { return rank(a) - rank(b) })
	direct := slices.ContainsFunc(sorted, func(a ma.Multiaddr) bool {
		r := rank(a)
		return r == rankAnnounced || r == rankPublic || r == rankPrivate
	})
	if direct {
		sorted = slices.DeleteFunc(sorted, func(a ma.Multiaddr) bool { return rank(a) == rankLoopback })
	}
	return sorted
}
