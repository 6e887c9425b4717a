package coap

import (
	"context"
	"sync/atomic"
)

type unsentKey struct{}

// TrackUnsent returns a context for one request and a flag that is set when a part of this process refuses the request
// before anybody else saw it. Such a refusal is certain, while a refusal without proof from elsewhere is not.
func TrackUnsent(ctx context.Context) (context.Context, *atomic.Bool) {
	flag := new(atomic.Bool)
	return context.WithValue(ctx, unsentKey{}, flag), flag
}

// MarkUnsent notes that a request was refused in this process and was not passed on.
func MarkUnsent(ctx context.Context) {
	if flag, ok := ctx.Value(unsentKey{}).(*atomic.Bool); ok {
		flag.Store(true)
	}
}
