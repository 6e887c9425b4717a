package proxy

import (
	"context"

	"github.com/edgeistry/edgeistry/coap"
)

type foremostKey struct{}

// Foremost marks the node's own requests that go before everything else to a device, and that no deny list stops: those that deliver a
// revocation, which may have to be made under the very capability that it ends.
func Foremost(ctx context.Context) context.Context {
	return context.WithValue(ctx, foremostKey{}, true)
}

// IsForemost tells such requests, for a service in this process that consults the deny list itself.
func IsForemost(ctx context.Context) bool { return ctx.Value(foremostKey{}) != nil }

// goFirst lets the node deliver what must reach the device before this request.
func (d *device) goFirst(ctx context.Context, r *request, next handler) (*coap.Message, error) {
	if d.first != nil && !IsForemost(ctx) {
		if err := d.first(ctx, d.id); err != nil {
			if since, away := d.away(); away && silent(err) {
				err = &AwayError{Since: since, Err: err}
			}
			return nil, err
		}
	}
	return next(ctx, r)
}
