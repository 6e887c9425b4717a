package proxy

import (
	"context"

	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/denylist"
)

type foremostKey struct{}

// Foremost marks the node's own requests that go before everything else to a device, and that no deny list stops: those that deliver a
// revocation, which may have to be made under the very capability that it ends.
func Foremost(ctx context.Context) context.Context {
	return context.WithValue(ctx, foremostKey{}, true)
}

// IsForemost tells such requests, for a service in this process that consults the deny list itself.
func IsForemost(ctx context.Context) bool { return ctx.Value(foremostKey{}) != nil }

// judge gives the refusal of a request that a deny list stops; nil: it may pass.
func judge(ctx context.Context, denied *denylist.List, req *coap.Message) *coap.Message {
	if denied == nil || IsForemost(ctx) {
		return nil
	}
	if j := denied.Judge(req); j != denylist.Pass {
		return denylist.Refusal(j)
	}
	return nil
}
