package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	circuit "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/edgeistry/edgeistry/internal/retry"
)

// State is how far a reservation is.
type State string

// The states of a reservation.
const (
	Reserved   State = "reserved"
	Connecting State = "connecting"  // not connected, or not answered yet
	NotOffered State = "not offered" // connected, and the peer is no relay
	Refused    State = "refused"     // the relay said no; it is asked again later
)

// maxRelayAddrs bounds the addresses shown for one relay: a service record has room for 8 of a
// home.
const maxRelayAddrs = 3

// errNotOffered reports that a peer does not speak the relay protocol.
var errNotOffered = errors.New("the peer offers no relay service")

// reservation is kept by one goroutine, run. What others read stands under the Client's mutex.
type reservation struct {
	client *Client
	relay  peer.AddrInfo
	change chan struct{} // the connection or what the relay offers changed

	// Under client.mu:
	state   State
	expires time.Time
	data    uint64
	time    time.Duration
	addrs   []ma.Multiaddr  // circuit addresses, best first
	conns   map[string]bool // to the relay when it was made
	err     error
}

// run reserves, renews at two thirds of the time and starts again with backoff after a failure,
// until ctx ends.
func (r *reservation) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	failures := 0
	var last time.Time // of the last attempt
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.change:
			if r.holds() {
				continue
			}
			r.lose()
			if failures > 0 && (!r.connected() || time.Since(last) < r.client.cfg.MinBackoff) {
				continue // the timer runs
			}
		case <-timer.C:
		}
		last = time.Now()
		wait, err := r.reserve(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failures++
			wait = backoff(r.client.cfg.MinBackoff, r.client.cfg.MaxBackoff, failures)
			r.fail(err)
			r.client.log.Debug("no reservation at relay", "relay", r.relay.ID, "next", wait, "error", err)
		default:
			failures = 0
		}
		timer.Reset(wait)
	}
}

// reserve makes or renews the reservation and returns the time until it should be renewed.
func (r *reservation) reserve(ctx context.Context) (time.Duration, error) {
	h := r.client.h
	ctx, cancel := context.WithTimeout(ctx, reserveTime)
	defer cancel()
	if s, ok := h.Network().(interface{ Backoff() *swarm.DialBackoff }); ok && !r.connected() {
		s.Backoff().Clear(r.relay.ID) // it would answer for the network
	}
	// A reservation needs a connection that is direct.
	if err := h.Connect(network.WithForceDirectDial(ctx, "edgeistry relay"), r.relay); err != nil && !r.connected() {
		return 0, fmt.Errorf("connect to relay: %w", err)
	}
	offered, err := h.Peerstore().SupportsProtocols(r.relay.ID, proto.ProtoIDv2Hop)
	if err != nil {
		return 0, fmt.Errorf("ask relay: %w", err)
	}
	if len(offered) == 0 {
		return 0, errNotOffered
	}
	got, err := circuit.Reserve(ctx, h, peer.AddrInfo{ID: r.relay.ID})
	if err != nil {
		return 0, fmt.Errorf("reserve at relay: %w", err)
	}
	r.hold(got)
	return max(time.Until(got.Expiration)*2/3, time.Second), nil
}

// hold notes a reservation.
func (r *reservation) hold(got *circuit.Reservation) {
	addrs := circuitAddrs(r.relay.ID, r.directAddrs(), got.Addrs)
	conns := make(map[string]bool)
	for _, c := range r.client.h.Network().ConnsToPeer(r.relay.ID) {
		conns[c.ID()] = true
	}
	r.client.update(func() {
		r.state, r.err = Reserved, nil
		r.expires, r.data, r.time = got.Expiration, got.LimitData, got.LimitDuration
		r.addrs, r.conns = addrs, conns
	})
}

// holds reports whether there is a reservation that the relay still knows: it forgets one when the
// connections that the client had then have ended, even if there is a new one.
func (r *reservation) holds() bool {
	r.client.mu.Lock()
	state, conns, expires := r.state, r.conns, r.expires
	r.client.mu.Unlock()
	if state != Reserved || !time.Now().Before(expires) {
		return false
	}
	return slices.ContainsFunc(r.client.h.Network().ConnsToPeer(r.relay.ID), func(c network.Conn) bool {
		return conns[c.ID()] && !c.IsClosed()
	})
}

// lose notes that a reservation that was there does not hold any more.
func (r *reservation) lose() {
	r.client.update(func() {
		if r.state == Reserved {
			r.state, r.addrs, r.expires = Connecting, nil, time.Time{}
		}
	})
}

// fail notes an attempt that failed. An older reservation may still hold.
func (r *reservation) fail(err error) {
	if r.holds() {
		r.client.update(func() { r.err = err })
		return
	}
	state := Connecting
	var refused circuit.ReservationError
	switch {
	case errors.Is(err, errNotOffered):
		state = NotOffered
	case errors.As(err, &refused) && r.connected():
		state = Refused
	}
	r.client.update(func() { r.state, r.err, r.addrs, r.expires = state, err, nil, time.Time{} })
}

func (r *reservation) connected() bool {
	return r.client.h.Network().Connectedness(r.relay.ID) == network.Connected
}

// directAddrs returns the addresses by which this node itself reaches the relay: they are known to
// work. Those that it was given come first, then the ones of its connections.
func (r *reservation) directAddrs() []ma.Multiaddr {
	addrs := slices.Clone(r.relay.Addrs)
	for _, c := range r.client.h.Network().ConnsToPeer(r.relay.ID) {
		if c.Stat().Direction == network.DirOutbound {
			addrs = append(addrs, c.RemoteMultiaddr())
		}
	}
	return addrs
}

// circuitAddrs returns the addresses of this node through a relay. Public addresses come first,
// loopback last: who reads them is somewhere else.
func circuitAddrs(relay peer.ID, lists ...[]ma.Multiaddr) []ma.Multiaddr {
	suffix, err := ma.NewMultiaddr("/p2p/" + relay.String() + "/p2p-circuit")
	if err != nil {
		return nil // cannot happen: relay is a peer ID
	}
	var direct []ma.Multiaddr
	for _, list := range lists {
		for _, a := range list {
			a, id := peer.SplitAddr(a)
			if a == nil || (id != "" && id != relay) || manet.IsIPUnspecified(a) {
				continue
			}
			if _, relayed := through(a); !relayed {
				direct = append(direct, a)
			}
		}
	}
	rank := func(a ma.Multiaddr) int {
		switch {
		case manet.IsIPLoopback(a):
			return 2
		case !manet.IsPublicAddr(a):
			return 1
		}
		return 0
	}
	slices.SortStableFunc(direct, func(a, b ma.Multiaddr) int { return rank(a) - rank(b) })
	var addrs []ma.Multiaddr
	for _, a := range direct {
		c := a.Encapsulate(suffix)
		if !slices.ContainsFunc(addrs, c.Equal) && len(addrs) < maxRelayAddrs {
			addrs = append(addrs, c)
		}
	}
	return addrs
}

// backoff doubles with each failure, between the bounds, less up to 20 % of chance so that nodes do
// not call in step.
func backoff(minimum, maximum time.Duration, failures int) time.Duration {
	return retry.Backoff{First: minimum, Last: maximum, Spread: 5}.After(failures)
}
