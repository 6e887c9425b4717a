package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ipfs/go-datastore"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/coap/udpserver"
	"github.com/edgeistry/edgeistry/dht"
	"github.com/edgeistry/edgeistry/function"
	"github.com/edgeistry/edgeistry/function/wasm"
	"github.com/edgeistry/edgeistry/logstore"
	"github.com/edgeistry/edgeistry/mesh"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/config"
	"github.com/edgeistry/edgeistry/node/hosting"
	"github.com/edgeistry/edgeistry/node/server"
	"github.com/edgeistry/edgeistry/node/state"
	"github.com/edgeistry/edgeistry/proxy"
	"github.com/edgeistry/edgeistry/relay"
)

// Config is what a node needs besides its home. The zero value works.
type Config struct {
	Version string
	Logger  *slog.Logger // nil: slog.Default()
	// Fatal is called when the datastore cannot go on, and should end the process: the goroutine that called it never goes on, so
	// neither New nor Close is sure to return. nil: Run returns the error, after the time for a clean stop.
	Fatal func(error)
	// Ready is called once, when the node serves its site. It may not be part of its mesh yet.
	Ready func(*api.Status)
	// State is called with one line about the node's standing in the mesh, first after Ready and then when it changes.
	State func(string)
}

const (
	closeTime = 15 * time.Second // for a clean stop
	maxRelays = 8                // more have no room in a service record
)

// Node is a running node. Its methods, one for each endpoint of the HTTP API, may be used by many goroutines.
type Node struct {
	state   *state.State
	cfg     config.Config
	version string
	fatal   func(error) // may be nil
	log     *slog.Logger
	started time.Time
	boot    uint32 // counts the starts of this node

	lock      *state.Lock
	closer    io.Closer // of the datastore
	store     *logstore.Store
	host      host.Host
	registry  *dht.Registry
	relaying  *relay.Service               // nil: this node does not relay
	relayed   atomic.Pointer[relay.Client] // nil: it knows no relay and does not need one
	caller    *client.Caller
	manager   *client.Caller // of revocations: it must not wait for sessions that wait for it
	proxy     *proxy.Proxy
	mesh      *mesh.Streams
	own       *hosting.Service
	functions *function.Runtime
	policies  *wasm.Policies    // run the programs of capabilities
	port      *udpserver.Server // nil: no CoAP port
	http      *server.Server
	publisher *publisher

	ctx    context.Context // ends when the node is told to stop
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu       sync.Mutex
	devices  map[edgeistry.ServiceID]*device
	pulls    map[logstore.LogID]*pull
	revokers map[edgeistry.ServiceID]*revoker
	closing  bool
	failure  error // why the node stopped by itself
	claims   sync.Mutex
	pulling  sync.Mutex // held to add a pull
	keys     sync.Mutex // held to change the key of an owned service in the home, or what was revoked of it

	readyMS  atomic.Uint64 // from start to ready, in microseconds; 0: not yet
	stopOnce sync.Once
	stopped  chan struct{} // closed when the node was told to stop, or failed

	closeOnce sync.Once
	closeErr  error
}

// New takes the lock of a home and starts a node on it. ctx bounds the start only; Close ends the node.
func New(ctx context.Context, h *state.State, cfg Config) (_ *Node, err error) {
	log := cfg.Logger
	if log == nil {
		log = slog.Default()
	}
	n := &Node{
		state: h, cfg: h.Config(), fatal: cfg.Fatal, version: cfg.Version, log: log, started: time.Now(),
		devices: make(map[edgeistry.ServiceID]*device), pulls: make(map[logstore.LogID]*pull),
		revokers: make(map[edgeistry.ServiceID]*revoker), stopped: make(chan struct{}),
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	for _, step := range []func(context.Context) error{
		n.openStore, n.openMesh, n.openProxy, n.openFunctions, n.openServices, n.restorePulls, n.openPorts,
	} {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("start node: %w", err)
		}
	}
	n.spawn(n.publisher.run)
	n.spawn(func(ctx context.Context) { watchClock(ctx, time.Now, n.clockStepped) })
	n.spawn(func(ctx context.Context) { n.watchStanding(ctx, cfg.Ready, cfg.State) })
	return n, nil
}

// openStore takes the lock, the datastore and the number of this start.
func (n *Node) openStore(ctx context.Context) error {
	var err error
	if n.lock, err = n.state.Lock(); err != nil {
		return err
	}
	if err := n.state.API.Remove(); err != nil { // of a node that was killed: nobody must follow it
		return err
	}
	var ds datastore.Batching
	unwritable := func(err error) { n.fail(n.advise(fmt.Errorf("the datastore cannot be written: %w", err))) }
	ds, n.closer, err = logstore.PebbleConfig{
		Logger: n.log, Failed: unwritable, Fatal: n.datastoreEnded,
	}.OpenContext(ctx, n.state.DataDir())
	if err != nil {
		return n.advise(err)
	}
	n.store, err = logstore.Open(ctx, ds, logstore.Config{Logger: n.log, Witness: n.state.WitnessFile(), Fatal: unwritable})
	if err != nil {
		return n.advise(err)
	}
	if n.boot, err = hosting.NextBoot(ctx, n.store); err != nil {
		return n.advise(err)
	}
	return n.openHost(ctx, ds)
}

// advise adds to what is wrong with the datastore what to do about it. Nobody is told to put data away that is not known to be damaged.
func (n *Node) advise(err error) error {
	var full *logstore.FullError
	var loss *logstore.LossError
	var witness *logstore.WitnessError
	data, file := n.state.DataDir(), n.state.WitnessFile()
	var do string
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &full):
		do = fmt.Sprintf("make room on the disk of %s, then start the node again; nothing that was acknowledged is lost", data)
	case errors.As(err, &loss):
		do = fmt.Sprintf("restore %s and %s together from the newest backup. If there is none, mv %s %s.old: the node then goes on with what is left, and nodes that copy its logs say how they go on", data, file, file, file)
	case errors.As(err, &witness):
		do = fmt.Sprintf("mv %s %s.old, then start the node again: the logs stay as they are, and a new file is made", file, file)
	case logstore.IsDamage(err):
		do = fmt.Sprintf("restore %s and %s together from a backup; without one, mv both away: the logs are then missing here, keys and capabilities stay", data, file)
	default:
		do = fmt.Sprintf("see to the disk and the permissions of %s, then start the node again; leave the files as they are", data)
	}
	return fmt.Errorf("%w; to do: %s", err, do)
}

// datastoreEnded hands on why pebble cannot go on, and never returns: pebble must not run on. What was acknowledged is on disk.
func (n *Node) datastoreEnded(why error) {
	err := n.advise(fmt.Errorf("the datastore cannot go on: %w", why))
	if n.fatal != nil {
		n.fatal(err)
	}
	n.fail(err)
	select {}
}

// openHost starts the libp2p host and joins the mesh.
func (n *Node) openHost(ctx context.Context, ds datastore.Batching) error {
	announce, err := multiaddrs(n.cfg.Announce)
	if err != nil {
		return err
	}
	n.host, err = mesh.NewHost(mesh.HostConfig{
		Key: n.state.Identity(), Listen: n.cfg.Listen, Version: n.version,
		Protocols: []protocol.ID{coap.ProtocolID, dht.ProtocolID(n.cfg.Mesh)},
		HolePunch: true,
		Extra: func() []ma.Multiaddr {
			addrs := announce
			if c := n.relayed.Load(); c != nil {
				addrs = append(addrs[:len(addrs):len(addrs)], c.CircuitAddrs()...)
			}
			return addrs
		},
	})
	if err != nil {
		return err
	}
	if len(n.seeds()) < len(n.cfg.SeedAddrs()) {
		n.log.Warn("a seed in config.yaml is this node itself; it is left out", "node", n.host.ID())
	}
	n.registry, err = dht.New(ctx, n.host, dht.Config{
		Mesh: n.cfg.Mesh, Datastore: ds, Seeds: n.seeds(), EnableMDNS: n.cfg.EnableMDNS, Logger: n.log, Twin: n.twinNoticed,
	})
	return err
}

// openMesh starts to relay for others, and to be relayed. A node with listening addresses is relayed too where it knows relays: it
// may stand behind a NAT without knowing, and others take the direct way where there is one.
func (n *Node) openMesh(context.Context) error {
	if len(n.cfg.Listen) > 0 && n.cfg.EnableRelayService {
		limits := relay.DefaultLimits()
		limits.Admit = n.registry.IsMember
		var err error
		if n.relaying, err = relay.NewService(n.host, limits); err != nil {
			return err
		}
	}
	relays := n.relays()
	if len(relays) == 0 && len(n.cfg.Listen) > 0 {
		return nil
	}
	c, err := relay.NewClient(n.host, relay.ClientConfig{Relays: relays[:min(len(relays), maxRelays)], Logger: n.log})
	if err != nil {
		return err
	}
	n.relayed.Store(c)
	return nil
}

// openProxy makes the one entry for requests, and connects it with the mesh in both directions.
func (n *Node) openProxy(context.Context) error {
	n.caller, n.manager = client.New(client.Config{}), client.New(client.Config{})
	var err error
	if n.proxy, err = proxy.New(proxy.Config{Resolve: n.wayTo, First: n.deliverFirst, Booted: n.deviceBooted, Logger: n.log}); err != nil {
		return err
	}
	n.mesh = mesh.NewStreams(n.host, n.proxy, n.log)
	return nil
}

// openServices hosts the node's own service and those of its devices, and only then lets the mesh in.
func (n *Node) openServices(ctx context.Context) error {
	var err error
	if n.policies, err = wasm.NewPolicies(ctx); err != nil {
		return err
	}
	key := n.state.Keys.Own()
	cfg := n.hosting(key.ID, n.ownManifest)
	cfg.Bump = func(branch, generation uint8) (bool, error) { return n.raised(key.ID, branch, generation) }
	cfg.Advance = func(epoch uint16, secret [32]byte) (*hosting.Key, error) {
		next, err := n.advanced(key.ID, epoch, secret)
		if next == nil {
			return nil, err
		}
		k := verifying(next)
		return &k, err
	}
	if n.own, err = hosting.New(n.ctx, verifying(key), cfg); err != nil {
		return err
	}
	if err := errors.Join(n.proxy.Host(key.ID, n.own), n.proxy.HostMirror(key.ID, n.own)); err != nil {
		return err
	}
	if n.publisher, err = newPublisher(n); err != nil {
		return err
	}
	if err := n.restoreDevices(ctx); err != nil {
		return err
	}
	if err := n.restoreRevocations(ctx); err != nil {
		return err
	}
	n.mesh.Serve()
	for _, d := range n.deviceList() {
		n.follow(d)
	}
	return nil
}

// hosting returns what a service that this node answers for needs.
func (n *Node) hosting(id edgeistry.ServiceID, manifest func() edgeistry.Manifest) hosting.Config {
	return hosting.Config{
		Store: n.store, Start: n.started, Boot: n.boot, Self: n.peerKey(), Program: n.policies.Run, Denied: n.proxy.Denied(id),
		Manifest: manifest, Logger: n.log, IsForemost: proxy.IsForemost,
	}
}

// peerKey returns the node's own public key. Init always makes an Ed25519 one.
func (n *Node) peerKey() edgeistry.PeerKey {
	key, _ := edgeistry.ParsePeerKey(n.host.ID().String())
	return key
}

// verifying returns the part of a service's key that verifies.
func verifying(k *state.ServiceKey) hosting.Key {
	return hosting.Key{ID: k.ID, EpochKey: k.EpochKey, Epoch: k.Epoch, Generations: k.Generations}
}

// openFunctions resumes the functions, before anything tells them where a log stands.
func (n *Node) openFunctions(ctx context.Context) error {
	var err error
	n.functions, err = function.New(ctx, n.store, function.Config{Logger: n.log})
	return err
}

// openPorts opens the CoAP port and the HTTP API, and says in the home where the API is.
func (n *Node) openPorts(context.Context) error {
	var err error
	if n.cfg.CoAPListen != "" {
		if n.port, err = udpserver.Listen(n.cfg.CoAPListen, n.proxy, udpserver.Config{Logger: n.log}); err != nil {
			return fmt.Errorf("%w; choose another coap_listen in config.yaml", err)
		}
	}
	l, err := server.Listen(n.cfg.APIListen)
	if err != nil {
		return err
	}
	if n.http, err = server.New(n.ctx, n, l, server.Config{Logger: n.log, ErrorOf: n.asAPIError}); err != nil {
		return errors.Join(err, l.Close())
	}
	return n.state.API.Save(state.Endpoint{Address: n.http.Address(), Token: n.http.Token(), PID: os.Getpid()})
}

// spawn runs f until the node stops; Close waits for it.
func (n *Node) spawn(f func(context.Context)) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closing {
		return false
	}
	n.wg.Go(func() { f(n.ctx) })
	return true
}

// errStopping is the error of what comes when the node has begun to stop.
var errStopping = errors.New("the node is stopping")

// enter begins a call that changes what the node keeps. Close waits for the call of leave. The returned context also ends when the node
// is told to stop.
func (n *Node) enter(ctx context.Context) (_ context.Context, leave func(), err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closing {
		return nil, nil, errStopping
	}
	n.wg.Add(1)
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(n.ctx, func() { cancel(errStopping) })
	return ctx, func() {
		stop()
		cancel(nil)
		n.wg.Done()
	}, nil
}

// fail stops the node because it cannot go on. The first cause counts.
func (n *Node) fail(err error) {
	n.mu.Lock()
	if n.failure == nil {
		n.failure = err
	}
	n.mu.Unlock()
	n.RequestStop()
}

// RequestStop tells whoever runs the node to close it. It does not wait.
func (n *Node) RequestStop() { n.stopOnce.Do(func() { close(n.stopped) }) }

// Stopped is closed when the node was told to stop or cannot go on; Err says which.
func (n *Node) Stopped() <-chan struct{} { return n.stopped }

// Err returns why the node stopped by itself; nil if it did not.
func (n *Node) Err() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.failure
}

// Close stops the node and waits for everything it started, in reverse order of the start. It may be called twice.
func (n *Node) Close() error {
	n.closeOnce.Do(func() { n.closeErr = n.closeAll() })
	return n.closeErr
}

func (n *Node) closeAll() error {
	var errs []error
	closeIf := func(ok bool, f func() error) {
		if ok {
			errs = append(errs, f())
		}
	}
	n.mu.Lock()
	n.closing = true
	devices, pulls := slices.Collect(maps.Values(n.devices)), slices.Collect(maps.Values(n.pulls)) // no more are added
	n.mu.Unlock()
	n.RequestStop()
	n.cancel() // streams and waiting requests end
	if n.http != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		errs = append(errs, n.http.Close(ctx), n.state.API.Remove())
		cancel()
	}
	closeIf(n.port != nil, func() error { return n.port.Close() })
	for _, d := range devices {
		errs = append(errs, d.link.Close()) // what waits for a device ends
	}
	for _, p := range pulls {
		p.cancel()
	}
	closeIf(n.mesh != nil, func() error { n.mesh.Close(); return nil })
	n.wg.Wait()
	closeIf(n.functions != nil, func() error { return n.functions.Close() })
	closeIf(n.proxy != nil, func() error { return n.proxy.Close() })
	closeIf(n.policies != nil, func() error { return n.policies.Close() })
	if c := n.relayed.Load(); c != nil {
		errs = append(errs, c.Close())
	}
	closeIf(n.relaying != nil, func() error { return n.relaying.Close() })
	closeIf(n.registry != nil, func() error { return n.registry.Close() })
	closeIf(n.host != nil, func() error { return n.host.Close() })
	closeIf(n.store != nil, func() error { return n.store.Close() })
	closeIf(n.closer != nil, func() error { return n.closer.Close() })
	closeIf(n.lock != nil, func() error { return n.lock.Close() })
	return errors.Join(errs...)
}

// Run starts a node and runs it until ctx ends, the API asks it to stop, or it cannot go on. A stop by ctx or by the API is
// no error. The stop itself is bounded.
func Run(ctx context.Context, h *state.State, cfg Config) error {
	n, err := New(ctx, h, cfg)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-n.Stopped():
	}
	done := make(chan error, 1)
	go func() { done <- n.Close() }()
	t := time.NewTimer(closeTime)
	defer t.Stop()
	select {
	case err := <-done:
		return errors.Join(n.Err(), err)
	case <-t.C:
		return errors.Join(n.Err(), fmt.Errorf("the node did not stop within %v and is cut off; nothing acknowledged is lost", closeTime))
	}
}

func multiaddrs(texts []string) ([]ma.Multiaddr, error) {
	var out []ma.Multiaddr
	for _, t := range texts {
		a, err := ma.NewMultiaddr(t)
		if err != nil {
			return nil, fmt.Errorf("address %q: %w", t, err)
		}
		out = append(out, a)
	}
	return out, nil
}
