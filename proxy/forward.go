package proxy

import (
	"context"
	"fmt"
	"time"

	"github.com/edgeistry/edgeistry/coap"
)

// forward sends a request of this node's own callers on to the home node of its service. Others' go no further than to the services
// that are here.
func (p *Proxy) forward(ctx context.Context, r *request) (*coap.Message, error) {
	if p.cfg.Resolve == nil || (!r.from.Local && !r.from.Datagram) {
		return nil, ErrNotFound
	}
	hops := r.hops - 1
	if hops == 0 {
		return hopLimitReached(), nil
	}
	began := time.Now()
	home, err := p.cfg.Resolve(ctx, r.service)
	if err != nil {
		return nil, fmt.Errorf("resolve: %w", err)
	}
	r.trace.add(coap.LegResolve, time.Since(began))
	onward := *r.msg
	onward.Options = append(make([]coap.Option, 0, len(r.msg.Options)+3), r.msg.Options...)
	onward.Add(coap.OptionURIHost, []byte(r.service.String()))
	onward.AddUint(coap.OptionHopLimit, hops)
	if r.trace.wanted {
		onward.Add(coap.OptionTrace, nil)
	}
	began = time.Now()
	resp, err := home.Do(ctx, &onward)
	if err != nil {
		return nil, fmt.Errorf("home node: %w", err)
	}
	r.trace.add(coap.LegMesh, time.Since(began))
	if value, ok := resp.Get(coap.OptionTrace); ok && r.trace.wanted {
		if timings, err := coap.DecodeTrace(value); err == nil { // a peer's word, for people only
			r.trace.timings = append(r.trace.timings, timings...)
		}
	}
	if r.core {
		return blockwise(r.from, r.msg, resp), nil
	}
	return resp, nil
}

func hopLimitReached() *coap.Message {
	return said(&coap.Message{Code: coap.CodeHopLimitReached}, "hop limit reached")
}
