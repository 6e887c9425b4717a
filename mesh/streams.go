package mesh

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/internal/dialerror"
)

// Limits of the mesh's streams.
const (
	maxInFlight  = 64              // requests under way on one stream (docs/spec/wire.md, Limits)
	dialTimeout  = 8 * time.Second // to reach one home
	exchangeTime = 30 * time.Second
)

// Streams carries requests to other nodes and takes theirs. To each node it keeps one stream, opened with the first request and
// again when it breaks: a new stream for each request would cost two to three times as much and meet limits.
type Streams struct {
	host    host.Host
	handler coap.Handler
	log     *slog.Logger

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	streams map[peer.ID]*outgoing

	places *places
}

// outgoing is the stream to one node. Whoever holds dialing opens it.
type outgoing struct {
	dialing chan struct{}
	mu      sync.Mutex
	client  *outgoingStream
}

// NewStreams returns the streams of a host. A request that another node sends goes to handler.
func NewStreams(h host.Host, handler coap.Handler, log *slog.Logger) *Streams {
	m := &Streams{
		host: h, handler: handler, log: log,
		streams: make(map[peer.ID]*outgoing), places: newPlaces(defaultPlaceLimits, log),
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m
}

// Serve starts to take streams of other nodes.
func (m *Streams) Serve() { m.host.SetStreamHandler(coap.ProtocolID, m.accept) }

// accept serves one stream until it ends. libp2p calls it in a goroutine of its own.
func (m *Streams) accept(s network.Stream) {
	if !m.start() {
		_ = s.Reset()
		return
	}
	defer m.wg.Done()
	p := s.Conn().RemotePeer()
	place := m.places.enter(p, s.Conn().RemoteMultiaddr(), func() { _ = s.Reset() })
	if place == nil {
		_ = s.Reset()
		return
	}
	defer m.places.leave(place)
	h := coap.HandlerFunc(func(ctx context.Context, from coap.Source, req *coap.Message) *coap.Message {
		m.places.begin(place)
		resp := m.handler.ServeCoAP(ctx, from, req)
		m.places.end(place, proves(resp))
		return resp
	})
	cfg := coap.StreamConfig{MaxInFlight: maxInFlight, Timeout: exchangeTime}
	if err := coap.ServeConn(m.ctx, streamConn{s}, h, coap.Source{Peer: p.String()}, cfg); err != nil {
		m.log.Debug("stream ended", "peer", p, "error", err)
	}
}

// proves reports whether an answer shows that its caller holds a capability: a success under a tag.
func proves(resp *coap.Message) bool {
	if resp == nil || resp.Code>>5 != 2 {
		return false
	}
	_, tagged := resp.Get(coap.OptionResponse)
	return tagged
}

// start counts a stream that Close waits for, unless Close was called already.
func (m *Streams) start() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.wg.Add(1)
	return true
}

// Counts returns the state of the streams that other nodes opened to this one.
func (m *Streams) Counts() StreamCounts { return m.places.counts() }

// Close ends all streams and waits for their goroutines.
func (m *Streams) Close() {
	m.host.RemoveStreamHandler(coap.ProtocolID)
	m.mu.Lock()
	m.closed = true
	streams := m.streams
	m.streams = make(map[peer.ID]*outgoing)
	m.mu.Unlock()
	m.cancel()
	for _, o := range streams {
		o.put(nil)
	}
	m.wg.Wait()
}

// Do sends a request to the first of these homes that can be reached. If none can, the error is a *HomesError.
func (m *Streams) Do(ctx context.Context, homes []peer.AddrInfo, req *coap.Message) (*coap.Message, error) {
	failed := &HomesError{}
	for _, home := range m.Order(homes) {
		if home.ID == m.host.ID() {
			failed.Tried = append(failed.Tried, "this node: it is named as a home, but does not serve the service any more")
			continue
		}
		resp, err := m.ask(ctx, home, req)
		if err == nil {
			return resp, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		failed.Tried = append(failed.Tried, fmt.Sprintf("%s: %v", home.ID, err))
	}
	return nil, failed
}

// Order puts homes with a connection first; the rest keep their order.
func (m *Streams) Order(homes []peer.AddrInfo) []peer.AddrInfo {
	rank := func(p peer.ID) int {
		switch m.host.Network().Connectedness(p) {
		case network.Connected:
			return 0
		case network.Limited:
			return 1
		default:
			return 2
		}
	}
	homes = slices.Clone(homes)
	slices.SortStableFunc(homes, func(a, b peer.AddrInfo) int { return rank(a.ID) - rank(b.ID) })
	return homes
}

// ask sends one request to one home. When the stream breaks under it the same bytes go out once more on a new stream: a protected
// request that ran already is recognised by the service and not run again.
func (m *Streams) ask(ctx context.Context, home peer.AddrInfo, req *coap.Message) (*coap.Message, error) {
	for attempt := 0; ; attempt++ {
		client, err := m.stream(ctx, home)
		if err != nil {
			return nil, err
		}
		stop := client.guard(ctx)
		resp, err := client.Do(ctx, req)
		stop()
		if err == nil || attempt > 0 || ctx.Err() != nil || !errors.Is(err, coap.ErrClosed) {
			return resp, err
		}
	}
}

// stream returns the open stream to a node, or opens one.
func (m *Streams) stream(ctx context.Context, home peer.AddrInfo) (*outgoingStream, error) {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil, coap.ErrClosed
	}
	o := m.streams[home.ID]
	if o == nil {
		o = &outgoing{dialing: make(chan struct{}, 1)}
		m.streams[home.ID] = o
	}
	m.mu.Unlock()
	if c := o.open(); c != nil {
		return c, nil
	}
	select {
	case o.dialing <- struct{}{}:
		defer func() { <-o.dialing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c := o.open(); c != nil {
		return c, nil
	}
	return m.dial(ctx, home, o)
}

func (m *Streams) dial(ctx context.Context, home peer.AddrInfo, o *outgoing) (*outgoingStream, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	// Without this a stream over a relayed connection waits for a direct one until its deadline.
	ctx = network.WithAllowLimitedConn(ctx, coap.ProtocolID)
	if s, ok := m.host.Network().(*swarm.Swarm); ok && m.host.Network().Connectedness(home.ID) == network.NotConnected {
		s.Backoff().Clear(home.ID) // who asks now does not want to hear that it failed a while ago
	}
	if len(home.Addrs) > 0 {
		m.host.Peerstore().AddAddrs(home.ID, home.Addrs, peerstore.TempAddrTTL)
	}
	connected := m.host.Network().Connectedness(home.ID) != network.NotConnected
	s, err := m.host.NewStream(ctx, home.ID, coap.ProtocolID)
	if err != nil && connected && ctx.Err() == nil && dialerror.Explain(err).Cause == dialerror.Other {
		// The connection ended at this moment, and libp2p had not noticed yet: now it dials.
		s, err = m.host.NewStream(ctx, home.ID, coap.ProtocolID)
	}
	if err != nil {
		return nil, fmt.Errorf("not reachable: %w", dialerror.Explain(err))
	}
	c := &outgoingStream{
		Client:  coap.NewClient(streamConn{s}, coap.StreamConfig{MaxInFlight: maxInFlight, Timeout: exchangeTime}),
		conn:    s.Conn(),
		probing: make(chan struct{}, 1),
	}
	m.mu.Lock()
	closed := m.closed
	if !closed {
		o.put(c)
	}
	m.mu.Unlock()
	if closed {
		return nil, errors.Join(coap.ErrClosed, c.Close())
	}
	return c, nil
}

// open returns the stream if requests can be sent on it.
func (o *outgoing) open() *outgoingStream {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.client == nil || o.client.Err() != nil {
		return nil
	}
	return o.client
}

// put puts another stream, or none, in the place of the present one, which ends.
func (o *outgoing) put(c *outgoingStream) {
	o.mu.Lock()
	old := o.client
	o.client = c
	o.mu.Unlock()
	if old != nil {
		_ = old.Close()
	}
}

// streamConn makes a libp2p stream a net.Conn.
type streamConn struct{ network.Stream }

// Close also frees a Read that waits.
func (c streamConn) Close() error {
	_ = c.SetReadDeadline(time.Now())
	return c.Stream.Close()
}

func (c streamConn) LocalAddr() net.Addr {
	return streamAddr{c.Conn().LocalPeer(), c.Conn().LocalMultiaddr()}
}

func (c streamConn) RemoteAddr() net.Addr {
	return streamAddr{c.Conn().RemotePeer(), c.Conn().RemoteMultiaddr()}
}

type streamAddr struct {
	peer peer.ID
	addr ma.Multiaddr
}

func (streamAddr) Network() string  { return "libp2p" }
func (a streamAddr) String() string { return a.addr.String() + "/p2p/" + a.peer.String() }
