package proxy

import (
	"context"
	"sync"
	"time"

	"github.com/edgeistry/edgeistry"
)

// device is one device here: its link, its queue, and what is kept of it.
type device struct {
	id     edgeistry.ServiceID
	link   Link
	turns  *turns
	core   coreCache
	first  func(ctx context.Context, id edgeistry.ServiceID) error // nil: nothing goes before the requests
	booted func(id edgeistry.ServiceID, boot uint32)               // nil: nobody wants to know

	exchange handler // the stages to the device

	mu       sync.Mutex
	manifest edgeistry.Manifest
	seen     time.Time
	silent   time.Time // since when it has been away; zero: it is not known to be
	probed   time.Time // when the last exchange without an answer ended
}

func newDevice(id edgeistry.ServiceID, manifest edgeistry.Manifest, link Link, cfg Config) *device {
	d := &device{
		id: id, manifest: manifest, link: link, turns: newTurns(cfg.Limits.Queue), core: coreCache{age: cfg.Limits.CoreAge},
		first: cfg.First, booted: cfg.Booted,
	}
	// A request that waited while its capability was revoked goes no further, so deny is asked again when the turn has come.
	d.exchange = chain(d.ask, d.goFirst, d.takeTurn, deny, learn)
	return d
}
