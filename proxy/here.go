package proxy

import (
	"context"

	"github.com/edgeistry/edgeistry/coap"
)

// build makes the chain of all stages. A request for a service here goes down to one of its handlers, every other one to forward.
func (p *Proxy) build() handler {
	hosted := chain(p.serveHosted, denyAnswer, learn)
	here := chain(func(ctx context.Context, r *request) (*coap.Message, error) {
		switch s := r.here; {
		case r.mirror && s.mirror == nil:
			return said(&coap.Message{Code: coap.CodeNotFound}, "no mirror of this service here"), nil
		case r.mirror || s.host != nil:
			return hosted(ctx, r)
		case s.device == nil:
			return said(&coap.Message{Code: coap.CodeNotFound}, "only a mirror of this service is here"), nil
		default:
			return p.serveDevice(ctx, r)
		}
	}, timeHome, deny)
	p.serveDevice = chain(func(ctx context.Context, r *request) (*coap.Message, error) {
		return r.here.device.exchange(ctx, r)
	}, p.discover, admit)
	return chain(func(ctx context.Context, r *request) (*coap.Message, error) {
		if r.here != nil {
			return here(ctx, r)
		}
		return p.forward(ctx, r)
	}, p.refuseErrors, refuseClaim, p.listOwn, p.ration, p.locate)
}

// locate looks up what is here under the service's ID.
func (p *Proxy) locate(ctx context.Context, r *request, next handler) (*coap.Message, error) {
	r.here = p.find(r.service)
	return next(ctx, r)
}

// serveHosted lets the mirror, or the service of this node, answer.
func (p *Proxy) serveHosted(ctx context.Context, r *request) (*coap.Message, error) {
	h := r.here.host
	if r.mirror {
		h = r.here.mirror
	}
	return h.ServeCoAP(ctx, r.from, r.msg), nil
}
