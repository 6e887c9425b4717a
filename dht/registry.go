package dht

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/keytransform"
	dssync "github.com/ipfs/go-datastore/sync"
	kad "github.com/libp2p/go-libp2p-kad-dht"
	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p-kad-dht/records"
	"github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"

	"github.com/edgeistry/edgeistry"
)

// Config is what a Registry is made of. Only Mesh is needed.
type Config struct {
	Mesh       string             // name of the mesh; see CheckMesh
	Datastore  datastore.Batching // keeps records and peers over restarts; nil: in memory
	Seeds      []peer.AddrInfo    // dialled for ever while not connected
	EnableMDNS bool               // find members on the local network; a failure is a warning
	Logger     *slog.Logger       // nil: slog.Default()
	Limits     Limits
	// Twin is called when another node with this node's identity is noticed. It must not block.
	Twin func()

	now func() time.Time // nil: time.Now
}

// Limits bounds what a Registry holds and how long it waits. A zero field takes its value from
// DefaultLimits.
type Limits struct {
	Records int // records that other nodes may store here
	// RecordsPerPeer is how many of them one node may put, RecordsPerAddr how many all nodes of one
	// address may (in IPv6 of one /56; behind one relay).
	RecordsPerPeer int
	RecordsPerAddr int
	// ExemptLoopback exempts nodes on this machine from RecordsPerAddr. RecordsPerPeer holds for
	// them too.
	ExemptLoopback bool
	Known          int           // services whose newest record is remembered
	Peers          int           // good peers remembered
	LookupTime     time.Duration // for one lookup
	PutTime        time.Duration // for storing a record at one node
	SettleTime     time.Duration // how long a lookup waits for a better record after the first
	MinBackoff     time.Duration // between attempts to reach a seed, and to store a record at a node
	MaxBackoff     time.Duration
	TwinTime       time.Duration // between two looks for another node with this node's identity
	ArrivalTime    time.Duration // how long a lookup of a node without peers waits for the first, while it dials
}

// DefaultLimits returns the limits that zero fields stand for.
func DefaultLimits() Limits {
	return Limits{
		Records:        16384, // 64 MiB at the most
		RecordsPerPeer: 1024,  // a node with 1,000 devices
		RecordsPerAddr: 4096,
		Known:          4096,
		Peers:          64,
		LookupTime:     10 * time.Second,
		PutTime:        10 * time.Second,
		SettleTime:     300 * time.Millisecond,
		MinBackoff:     500 * time.Millisecond,
		MaxBackoff:     30 * time.Second,
		TwinTime:       time.Minute,
		ArrivalTime:    3 * time.Second,
	}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	for _, f := range []struct{ field, value *int }{
		{&l.Records, &d.Records},
		{&l.RecordsPerPeer, &d.RecordsPerPeer},
		{&l.RecordsPerAddr, &d.RecordsPerAddr},
		{&l.Known, &d.Known},
		{&l.Peers, &d.Peers},
	} {
		if *f.field <= 0 {
			*f.field = *f.value
		}
	}
	for _, f := range []struct{ field, value *time.Duration }{
		{&l.LookupTime, &d.LookupTime},
		{&l.PutTime, &d.PutTime},
		{&l.SettleTime, &d.SettleTime},
		{&l.MinBackoff, &d.MinBackoff},
		{&l.MaxBackoff, &d.MaxBackoff},
		{&l.ArrivalTime, &d.ArrivalTime},
		{&l.TwinTime, &d.TwinTime},
	} {
		if *f.field <= 0 {
			*f.field = *f.value
		}
	}
	l.MaxBackoff = max(l.MaxBackoff, l.MinBackoff)
	return l
}

// Registry is a node's part of the mesh's registry. It is safe for concurrent use.
type Registry struct {
	h         host.Host
	kad       *kad.IpfsDHT
	messenger *kadpb.ProtocolMessenger
	proto     protocol.ID
	mesh      string
	limits    Limits
	log       *slog.Logger
	now       func() time.Time
	began     time.Time // when this run began

	known  *knownRecords
	peers  *goodPeers
	store  *recordStore
	values *records.ValueStore // on store; the DHT has its own on the same
	dialer *dialer
	mdns   mdns.Service // nil: off or not to be had

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup
	feed   chan struct{} // wakes the feeder
	events event.Subscription

	publishing sync.Mutex // held while a sequence number is chosen and its record stored here

	mu      sync.Mutex
	closed  bool
	own     map[edgeistry.ServiceID]*ownRecord
	flights map[edgeistry.ServiceID]*flight
	twin    *Twin         // nil: none was noticed
	onTwin  func()        // Config.Twin
	arrived chan struct{} // closed and replaced when a member of the mesh arrives

	closing  sync.Once
	closeErr error
}

// New joins a mesh with a host. It does not wait for a peer. ctx bounds New itself.
func New(ctx context.Context, h host.Host, cfg Config) (_ *Registry, err error) {
	if err := CheckMesh(cfg.Mesh); err != nil {
		return nil, fmt.Errorf("mesh %.80q: %w", cfg.Mesh, err)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Datastore == nil {
		cfg.Datastore = dssync.MutexWrap(datastore.NewMapDatastore())
	}
	r := &Registry{
		h:       h,
		proto:   ProtocolID(cfg.Mesh),
		mesh:    cfg.Mesh,
		limits:  cfg.Limits.withDefaults(),
		log:     cfg.Logger,
		now:     cfg.now,
		feed:    make(chan struct{}, 1),
		own:     make(map[edgeistry.ServiceID]*ownRecord),
		flights: make(map[edgeistry.ServiceID]*flight),
		arrived: make(chan struct{}),
	}
	if r.now == nil {
		r.now = time.Now
	}
	r.began, r.onTwin = r.now(), cfg.Twin
	r.ctx, r.cancel = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if err := r.open(ctx, cfg.Datastore); err != nil {
		return nil, err
	}
	if err := r.join(); err != nil {
		return nil, err
	}
	r.dialer = newDialer(h, r.log, r.limits.MinBackoff, r.limits.MaxBackoff, func() bool { return len(r.Peers()) == 0 }, r.notMember)
	for _, seed := range cfg.Seeds {
		h.Peerstore().AddAddrs(seed.ID, seed.Addrs, peerstore.PermanentAddrTTL)
		h.ConnManager().Protect(seed.ID, "edgeistry-seed")
		r.dialer.add(seed, true)
	}
	for _, info := range r.peers.all() {
		r.dialer.add(info, false)
	}
	r.wg.Go(func() { r.dialer.run(r.ctx) })
	r.wg.Go(r.watch)
	f := &feeder{min: r.limits.MinBackoff, max: r.limits.MaxBackoff, missing: r.missing, put: r.putAt, wake: r.feed}
	r.wg.Go(func() { f.run(r.ctx) })
	r.wg.Go(func() { r.seekTwin(r.ctx) })
	if cfg.EnableMDNS {
		r.startMDNS()
	}
	return r, nil
}

// open prepares the three parts of the datastore.
func (r *Registry) open(ctx context.Context, ds datastore.Batching) error {
	part := func(name string) datastore.Batching {
		return keytransform.Wrap(ds, keytransform.PrefixTransform{Prefix: datastore.NewKey("/registry/" + r.mesh + "/" + name)})
	}
	var err error
	if r.known, err = openKnown(ctx, part("known"), r.limits.Known, r.log); err != nil {
		return err
	}
	if r.peers, err = openPeers(ctx, part("peers"), r.limits.Peers, r.log); err != nil {
		return err
	}
	r.store, err = openStore(ctx, part("records"), r.h.ID(), r.limits, r.log)
	return err
}

// join starts the DHT. Differences from a public one: our protocol prefix; always a server; no
// provider records; no diversity filter, which would keep 3 peers of one network; addresses of
// private networks are taken.
func (r *Registry) join() error {
	validator := record.NamespacedValidator{Namespace: guard{Validator{Now: r.now}, r.known}}
	d, err := kad.New(anyPath{r.h},
		kad.ProtocolPrefix(protocolPrefix(r.mesh)),
		kad.Mode(kad.ModeServer),
		kad.Validator(validator),
		kad.Datastore(r.store),
		kad.DisableProviders(),
		kad.MaxRecordAge(MaxValidity),
		kad.AddressFilter(usableAddrs),
		kad.OnRequestHook(r.mark),
	)
	if err != nil {
		return fmt.Errorf("join mesh %s: %w", r.mesh, err)
	}
	r.kad = d
	r.values = records.NewValueStore(r.store, validator, MaxValidity)
	if r.messenger, err = kadpb.NewProtocolMessenger(d.MessageSender()); err != nil {
		return fmt.Errorf("join mesh %s: %w", r.mesh, err)
	}
	r.events, err = r.h.EventBus().Subscribe([]any{
		new(event.EvtPeerIdentificationCompleted),
		new(event.EvtPeerProtocolsUpdated),
		new(event.EvtPeerConnectednessChanged),
	}, eventbus.BufSize(256), eventbus.Name("edgeistry registry"))
	if err != nil {
		return fmt.Errorf("watch peers: %w", err)
	}
	return nil
}

// mark notes in a record that a peer puts here who puts it, for the quotas of the store.
func (r *Registry) mark(_ context.Context, s network.Stream, req *kadpb.Message) {
	rec := req.GetRecord()
	if rec == nil {
		return
	}
	p := s.Conn().RemotePeer()
	markOrigin(rec, origin{peer: p, group: groupOf(p, s.Conn().RemoteMultiaddr(), r.limits.ExemptLoopback)})
}

// Close leaves the mesh and returns when everything that the registry started has ended. Calls
// under way end with ErrClosed. It may be called twice. The host and the datastore are the caller's
// and stay open.
func (r *Registry) Close() error {
	r.closing.Do(func() {
		r.mu.Lock()
		r.closed = true
		r.mu.Unlock()
		r.cancel()
		var errs []error
		if r.mdns != nil {
			errs = append(errs, r.mdns.Close())
		}
		if r.events != nil {
			errs = append(errs, r.events.Close())
		}
		if r.kad != nil {
			r.h.RemoveStreamHandler(r.proto)
		}
		r.wg.Wait()
		if r.kad != nil {
			errs = append(errs, r.kad.Close())
			r.resetStreams()
		}
		if r.store != nil {
			r.store.fence()
		}
		r.closeErr = errors.Join(errs...)
	})
	return r.closeErr
}

// resetStreams ends the streams that the DHT keeps open for reuse, with their handlers. kad-dht
// leaves them to the host.
func (r *Registry) resetStreams() {
	for _, c := range r.h.Network().Conns() {
		for _, s := range c.GetStreams() {
			if s.Protocol() == r.proto {
				_ = s.Reset()
			}
		}
	}
}

// startLocked runs f in a goroutine that Close waits for. It reports whether it did: not after
// Close.
func (r *Registry) startLocked(f func()) bool {
	if r.closed {
		return false
	}
	r.wg.Go(f)
	return true
}

// guard is the mesh's validator with this node's memory: records older than the known one are
// refused wherever they come from, so a rolled back record is neither stored, nor served, nor
// found.
type guard struct {
	Validator
	known *knownRecords
}

func (g guard) Validate(key string, value []byte) error {
	rec, err := Open(key, value, g.now())
	if err != nil {
		return err
	}
	return g.known.refuses(&rec)
}
