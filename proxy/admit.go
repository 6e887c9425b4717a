package proxy

import (
	"context"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
)

// helloSize is caller nonce (8) | header (12).
const helloSize = 20

// admit spares a device what it would refuse: of unprotected requests it gets a hello and nothing else.
func admit(ctx context.Context, r *request, next handler) (*coap.Message, error) {
	if r.protected {
		return next(ctx, r)
	}
	if r.hello {
		if len(r.msg.Payload) != helloSize {
			return capability.Refusal(capability.ReasonMalformed), nil
		}
		return next(ctx, r)
	}
	first, _ := r.msg.Get(coap.OptionURIPath)
	switch string(first) {
	case "h", ".well-known":
		return capability.Refusal(capability.ReasonMethod), nil
	case "l", "f", "t", "g", "e", "n":
		return capability.Refusal(capability.ReasonNeedCapability), nil
	}
	return capability.Refusal(capability.ReasonNotFound), nil
}
