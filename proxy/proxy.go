package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/denylist"
)

// ErrNotFound says that nobody is known to serve a service. Config.Resolve wraps it.
var ErrNotFound = errors.New("no such service")

// Link is the way to one device; *link.Link is one. It may be asked by several goroutines and takes them in turn.
type Link interface {
	Exchange(ctx context.Context, req *coap.Message) (*coap.Message, coap.Legs, error)
}

// Config configures a Proxy.
type Config struct {
	// Resolve gives the way to the home node of a service that is not here, or an error that wraps ErrNotFound. It is asked for this
	// node's own callers only. nil: only services that are here are served.
	Resolve func(ctx context.Context, id edgeistry.ServiceID) (coap.Doer, error)
	// First, if set, is called before each exchange with a device, but not before one that is Foremost: it gives the node the time to
	// deliver what must reach the device before anything else. An error is what the exchange fails with.
	First func(ctx context.Context, id edgeistry.ServiceID) error
	// Booted, if set, is called with the boot counter that a device answers a hello with. It carries no proof. It must not block.
	Booted func(id edgeistry.ServiceID, boot uint32)
	Limits Limits
	Logger *slog.Logger // default slog.Default()
}

// Limits bound what the proxy does for others. Zero values mean the defaults.
type Limits struct {
	UnderWay       int           // requests of one peer at a time; default 64, then 4.29
	Queue          int           // requests that wait for one device; default 16, then 5.03
	Openings       int           // hellos and opens of one peer in OpeningsWindow; default 20, then 4.29
	OpeningsWindow time.Duration // default 10 s
	Peers          int           // peers remembered; default 1,024
	Exchange       time.Duration // for one request; default 35 s, more than a link's 30 s and the longest w
	CoreAge        time.Duration // how long /.well-known/core of a device is kept; default 60 s
}

func (l Limits) withDefaults() Limits {
	ints := []struct {
		field *int
		value int
	}{{&l.UnderWay, 64}, {&l.Queue, 16}, {&l.Openings, 20}, {&l.Peers, 1024}}
	for _, d := range ints {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	durations := []struct {
		field *time.Duration
		value time.Duration
	}{{&l.OpeningsWindow, 10 * time.Second}, {&l.Exchange, 35 * time.Second}, {&l.CoreAge, time.Minute}}
	for _, d := range durations {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return l
}

// Proxy is a coap.Handler for everything that enters the node. It is safe for concurrent use.
type Proxy struct {
	cfg   Config
	log   *slog.Logger
	peers *peers

	serve       handler // all stages
	serveDevice handler // those for a device here

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu       sync.Mutex
	services map[edgeistry.ServiceID]*service
	denied   map[edgeistry.ServiceID]*denylist.List
	isClosed bool
}

// service is what is here under one ID.
type service struct {
	device *device      // nil: none
	host   coap.Handler // nil: none
	mirror coap.Handler // nil: none
	denied *denylist.List
}

// New makes a Proxy. Close releases it.
func New(cfg Config) (*Proxy, error) {
	cfg.Limits = cfg.Limits.withDefaults()
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	p := &Proxy{
		cfg: cfg, log: cfg.Logger,
		peers:    newPeers(cfg.Limits),
		services: make(map[edgeistry.ServiceID]*service),
		denied:   make(map[edgeistry.ServiceID]*denylist.List),
	}
	p.serve = p.build()
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p, nil
}

// AddDevice makes a device reachable under its service ID. The link stays the caller's to close.
func (p *Proxy) AddDevice(id edgeistry.ServiceID, manifest edgeistry.Manifest, link Link) error {
	if link == nil {
		return errors.New("add device: no link")
	}
	return p.change(id, func(s *service) error {
		if s.device != nil || s.host != nil {
			return fmt.Errorf("add device: %s is here already", id)
		}
		s.device = newDevice(id, manifest, link, p.cfg)
		return nil
	})
}

// RemoveDevice takes a device out. Its requests under way go on to their end.
func (p *Proxy) RemoveDevice(id edgeistry.ServiceID) {
	_ = p.change(id, func(s *service) error { // the change below cannot fail
		s.device = nil
		return nil
	})
}

// Host serves a service of this node by h; nil takes it out.
func (p *Proxy) Host(id edgeistry.ServiceID, h coap.Handler) error {
	return p.change(id, func(s *service) error {
		if h != nil && (s.device != nil || s.host != nil) {
			return fmt.Errorf("host service: %s is here already", id)
		}
		s.host = h
		return nil
	})
}

// HostMirror lets h answer the requests to id that address the mirror verifier; nil takes it out.
func (p *Proxy) HostMirror(id edgeistry.ServiceID, h coap.Handler) error {
	return p.change(id, func(s *service) error {
		s.mirror = h
		return nil
	})
}

func (p *Proxy) change(id edgeistry.ServiceID, f func(*service) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := service{}
	if s := p.services[id]; s != nil {
		changed = *s
	}
	if err := f(&changed); err != nil {
		return err
	}
	if changed.device == nil && changed.host == nil && changed.mirror == nil {
		delete(p.services, id)
		return nil
	}
	changed.denied = p.deniedLocked(id)
	p.services[id] = &changed // a new one, for those who hold the old one
	return nil
}

// Deny replaces the deny list of a service: from now on requests that show one of these capabilities, or are in a session of one, get no
// further than this node, whether a device, this node or a mirror would answer.
func (p *Proxy) Deny(id edgeistry.ServiceID, entries []denylist.Fingerprint) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deniedLocked(id).Set(entries)
}

// Denied returns the lookup in the deny list of a service, as it is at each call, for capability.GuardConfig. The service's own verifier knows whose a
// session is from the moment that it opens; the proxy learns it from the answer, which may wait.
func (p *Proxy) Denied(id edgeistry.ServiceID) func([16]byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.deniedLocked(id)
	return func(f [16]byte) bool { return l.Has(f) }
}

// deniedLocked returns the deny list of a service, which outlives the service's devices and handlers. The caller holds mu.
func (p *Proxy) deniedLocked(id edgeistry.ServiceID) *denylist.List {
	l := p.denied[id]
	if l == nil {
		l = new(denylist.List)
		p.denied[id] = l
	}
	return l
}

func (p *Proxy) find(id edgeistry.ServiceID) *service {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.services[id]
}

// Local returns the entry for callers in this process.
func (p *Proxy) Local() coap.Doer {
	return coap.DoerFunc(func(ctx context.Context, req *coap.Message) (*coap.Message, error) {
		resp := p.ServeCoAP(ctx, coap.Source{Peer: "local", Local: true}, req)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if resp == nil {
			return nil, coap.ErrClosed
		}
		return resp, nil
	})
}

// Close waits for what the proxy started itself. It may be called twice.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.isClosed = true
	p.mu.Unlock()
	p.cancel()
	p.wg.Wait()
	return nil
}

// start runs f in a goroutine that Close waits for.
func (p *Proxy) start(f func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isClosed {
		return false
	}
	p.wg.Go(f)
	return true
}
