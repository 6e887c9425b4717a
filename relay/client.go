package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	ma "github.com/multiformats/go-multiaddr"
)

const (
	maxRelays   = 8                // more are left out: a record has no room for their addresses
	reserveTime = 30 * time.Second // for one attempt
)

// ClientConfig is what a Client is made of. Only Relays is needed.
type ClientConfig struct {
	Relays     []peer.AddrInfo // tried in parallel; those that offer no relay service are asked again now and then
	MinBackoff time.Duration   // between attempts; default 1 s
	MaxBackoff time.Duration   // default 1 min
	Logger     *slog.Logger    // nil: slog.Default()
}

// Client keeps reservations at relays, so that others can reach this node through them. It is safe
// for concurrent use.
type Client struct {
	h       host.Host
	cfg     ClientConfig
	log     *slog.Logger
	events  event.Subscription
	emitter event.Emitter
	cancel  context.CancelFunc
	wg      sync.WaitGroup

	mu           sync.Mutex
	reservations []*reservation // in the order of the relays given

	closing  sync.Once
	closeErr error
}

// NewClient starts to reserve at the relays and returns at once. The host must have libp2p's relay
// transport.
func NewClient(h host.Host, cfg ClientConfig) (_ *Client, err error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.MinBackoff <= 0 {
		cfg.MinBackoff = time.Second
	}
	if cfg.MaxBackoff <= 0 {
		cfg.MaxBackoff = time.Minute
	}
	cfg.MaxBackoff = max(cfg.MaxBackoff, cfg.MinBackoff)
	if len(cfg.Relays) > maxRelays {
		return nil, fmt.Errorf("%d relays, at most %d", len(cfg.Relays), maxRelays)
	}
	c := &Client{h: h, cfg: cfg, log: cfg.Logger}
	if c.events, err = h.EventBus().Subscribe([]any{
		new(event.EvtPeerConnectednessChanged),
		new(event.EvtPeerProtocolsUpdated),
		new(event.EvtPeerIdentificationCompleted),
	}, eventbus.BufSize(128), eventbus.Name("edgeistry relay client")); err != nil {
		return nil, fmt.Errorf("watch relays: %w", err)
	}
	// The event of libp2p's own relay client makes the host collect its addresses anew at once,
	// with ours from the AddrsFactory, instead of within 5 s.
	if c.emitter, err = h.EventBus().Emitter(new(event.EvtAutoRelayAddrsUpdated)); err != nil {
		return nil, errors.Join(fmt.Errorf("announce relays: %w", err), c.events.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	for _, info := range cfg.Relays {
		if info.ID == h.ID() || slices.ContainsFunc(c.reservations, func(r *reservation) bool { return r.relay.ID == info.ID }) {
			continue
		}
		h.Peerstore().AddAddrs(info.ID, info.Addrs, peerstore.PermanentAddrTTL)
		h.ConnManager().Protect(info.ID, "edgeistry-relay")
		c.reservations = append(c.reservations, &reservation{
			client: c, relay: info, change: make(chan struct{}, 1), state: Connecting,
		})
	}
	for _, r := range c.reservations {
		c.wg.Go(func() { r.run(ctx) })
	}
	c.wg.Go(func() { c.watch(ctx) })
	return c, nil
}

// watch notifies reservations about events of their relays.
func (c *Client) watch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-c.events.Out():
			if !ok {
				return
			}
			var p peer.ID
			switch e := e.(type) {
			case event.EvtPeerConnectednessChanged:
				p = e.Peer
			case event.EvtPeerProtocolsUpdated:
				p = e.Peer
			case event.EvtPeerIdentificationCompleted:
				p = e.Peer
			}
			for _, r := range c.reservations {
				if r.relay.ID == p {
					select {
					case r.change <- struct{}{}:
					default:
					}
				}
			}
		}
	}
}

// update changes reservations under the mutex and lets the host know when the addresses changed.
func (c *Client) update(change func()) {
	before := c.CircuitAddrs()
	c.mu.Lock()
	change()
	c.mu.Unlock()
	after := c.CircuitAddrs()
	if slices.EqualFunc(before, after, ma.Multiaddr.Equal) {
		return
	}
	c.log.Info("circuit addresses changed", "addresses", after)
	if err := c.emitter.Emit(event.EvtAutoRelayAddrsUpdated{RelayAddrs: after}); err != nil {
		c.log.Debug("circuit addresses not announced", "error", err)
	}
}

// CircuitAddrs returns the addresses by which others reach this node through its relays, without
// this node's own peer ID at the end. Relays take turns, so that the first addresses already lead
// through different ones.
func (c *Client) CircuitAddrs() []ma.Multiaddr {
	c.mu.Lock()
	defer c.mu.Unlock()
	var addrs []ma.Multiaddr
	for i := range maxRelayAddrs {
		for _, r := range c.reservations {
			if i < len(r.addrs) {
				addrs = append(addrs, r.addrs[i])
			}
		}
	}
	return addrs
}

// RelayStatus is what is known of one relay.
type RelayStatus struct {
	Relay    peer.ID
	State    State
	Expires  time.Time     // of the reservation
	Data     uint64        // bytes that a circuit through the relay carries in each direction; 0: no limit
	Duration time.Duration // that a circuit through the relay may last; 0: no limit
	Err      error         // of the last attempt; nil when it succeeded
}

// Status is the state of a Client.
type Status struct {
	Relays []RelayStatus
}

// String returns the text that people read: "relayed through 12D3Koo...", or why not.
func (s Status) String() string {
	var via, why []string
	for _, r := range s.Relays {
		if r.State == Reserved {
			via = append(via, r.Relay.String())
		} else {
			why = append(why, fmt.Sprintf("%s %s", r.Relay, r.State))
		}
	}
	switch {
	case len(via) > 0:
		return "relayed through " + strings.Join(via, ", ")
	case len(why) > 0:
		return "not relayed: " + strings.Join(why, ", ")
	}
	return "not relayed: no relays given"
}

// Status returns the present state.
func (c *Client) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	var s Status
	for _, r := range c.reservations {
		s.Relays = append(s.Relays, RelayStatus{
			Relay: r.relay.ID, State: r.state, Expires: r.expires, Data: r.data, Duration: r.time, Err: r.err,
		})
	}
	return s
}

// Close stops renewing; relays forget the reservations when they run out or the connections end. It
// returns when everything the client started has ended. It may be called twice.
func (c *Client) Close() error {
	c.closing.Do(func() {
		c.cancel()
		err := c.events.Close()
		c.wg.Wait()
		c.closeErr = errors.Join(err, c.emitter.Close())
		for _, r := range c.reservations {
			c.h.ConnManager().Unprotect(r.relay.ID, "edgeistry-relay")
		}
	})
	return c.closeErr
}
