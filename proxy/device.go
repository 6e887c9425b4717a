package proxy

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/coap/link"
	"github.com/edgeistry/edgeistry/denylist"
)

// device is one device here: its link, its queue, and what is kept of it.
type device struct {
	id     edgeistry.ServiceID
	link   Link
	turns  *turns
	core   coreCache
	first  func(ctx context.Context, id edgeistry.ServiceID) error // nil: nothing goes before the requests
	booted func(id edgeistry.ServiceID, boot uint32)               // nil: nobody wants to know

	mu       sync.Mutex
	manifest edgeistry.Manifest
	seen     time.Time
	silent   time.Time // since when it has been away; zero: it is not known to be
	probed   time.Time // when the last exchange without an answer ended
}

func newDevice(id edgeistry.ServiceID, manifest edgeistry.Manifest, link Link, cfg Config) *device {
	return &device{
		id: id, manifest: manifest, link: link, turns: newTurns(cfg.Limits.Queue), core: coreCache{age: cfg.Limits.CoreAge},
		first: cfg.First, booted: cfg.Booted,
	}
}

func (d *device) describe() Device {
	d.mu.Lock()
	defer d.mu.Unlock()
	return Device{ID: d.id, Manifest: d.manifest, Link: d.link, Waiting: d.turns.length(), Seen: d.seen}
}

// exchange waits for the device's turn and asks it. denied, if not nil, judges the request when its turn has come, too: a request
// that waited while its capability was revoked goes no further.
func (d *device) exchange(ctx context.Context, peer string, denied *denylist.List, req *coap.Message, t *trace) (*coap.Message, error) {
	if d.first != nil && !IsForemost(ctx) {
		if err := d.first(ctx, d.id); err != nil {
			if since, away := d.away(); away && silent(err) {
				err = &AwayError{Since: since, Err: err}
			}
			return nil, err
		}
	}
	began := time.Now()
	done, err := d.turns.wait(ctx, peer)
	if err != nil {
		return nil, err
	}
	queued := time.Since(began)
	if refusal := judge(ctx, denied, req); refusal != nil {
		done()
		return refusal, nil
	}
	resp, legs, err := d.ask(ctx, began, req)
	if err == nil && denied != nil {
		denied.Learn(req, resp)
	}
	done()
	if err != nil {
		return nil, err
	}
	t.add(coap.LegQueue, queued+legs.Queue)
	t.add(coap.LegLink, legs.Link)
	t.add(coap.LegDevice, legs.Device)
	return resp, nil
}

// refuse gives the answer for a failure on the way to a device or to another node.
func refuse(err error) *coap.Message {
	var away *AwayError
	switch {
	case errors.As(err, &away):
		return said(coap.Unavailable(awayAge), awayText(away.Since))
	case errors.Is(err, errQueueFull):
		return said(coap.Unavailable(2), "too many requests wait for the device")
	case errors.Is(err, coap.ErrTooLarge):
		return capability.Refusal(capability.ReasonTooLarge)
	case errors.Is(err, link.ErrLinkDown):
		return said(coap.Unavailable(awayAge), "the device's link is down")
	case errors.Is(err, ErrNotFound):
		return said(&coap.Message{Code: coap.CodeNotFound}, "no such service")
	case errors.Is(err, coap.ErrTimeout), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return said(&coap.Message{Code: coap.CodeGatewayTimeout}, "no answer in time")
	}
	return said(&coap.Message{Code: coap.CodeBadGateway}, "the way to the service failed")
}

// said adds a text for people. Only fixed texts and times: nothing of this node's insides goes out.
func said(m *coap.Message, text string) *coap.Message {
	m.Payload = []byte(text)
	return m
}
