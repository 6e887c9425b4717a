package proxy

import (
	"context"

	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/denylist"
)

// judge returns the refusal of a request that the deny list of its service stops, or nil if it may pass. What names no service
// here, as the node's own reading of a device's discovery document, has no list.
func (r *request) judge(ctx context.Context) *coap.Message {
	if r.here == nil || IsForemost(ctx) {
		return nil
	}
	if j := r.here.denied.Judge(r.msg); j != denylist.Pass {
		return denylist.Refusal(j)
	}
	return nil
}

// deny stops what the deny list stops. A caller of this node knows then that nobody else saw the request.
func deny(ctx context.Context, r *request, next handler) (*coap.Message, error) {
	if refusal := r.judge(ctx); refusal != nil {
		coap.MarkUnsent(ctx)
		return refusal, nil
	}
	return next(ctx, r)
}

// denyAnswer keeps an answer back whose capability was denied while the answer waited for news.
func denyAnswer(ctx context.Context, r *request, next handler) (*coap.Message, error) {
	resp, err := next(ctx, r)
	if resp != nil {
		if refusal := r.judge(ctx); refusal != nil {
			return refusal, nil
		}
	}
	return resp, err
}

// learn notes whose session an answer opened, before the next request is judged.
func learn(ctx context.Context, r *request, next handler) (*coap.Message, error) {
	resp, err := next(ctx, r)
	if resp != nil && r.here != nil {
		r.here.denied.Learn(r.msg, resp)
	}
	return resp, err
}
