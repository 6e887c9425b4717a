package proxy

import (
	"context"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
)

// screen checks the options of a request and keeps those that go on: what is new on every hop is taken out. It never mends a
// protected request: what may not stand in one is refused.
func (r *request) screen(options []coap.Option) *coap.Message {
	kept := make([]coap.Option, 0, len(options)+2) // and what forward adds
	segments, queries, naming := 0, 0, 0
	var refusal *coap.Message // of the option that comes first
	refuse := func(reason capability.Reason) {
		if refusal == nil {
			refusal = capability.Refusal(reason)
		}
	}
	for _, o := range options {
		switch o.Number {
		case coap.OptionURIPath:
			segments++
			switch {
			case len(o.Value) > edgeistry.MaxName:
				refuse(capability.ReasonMalformed)
			case !isName(string(o.Value)):
				refuse(capability.ReasonNotFound)
			}
			kept = append(kept, o)
		case coap.OptionURIQuery:
			queries++
			if len(o.Value) > edgeistry.MaxName {
				refuse(capability.ReasonMalformed)
			}
			kept = append(kept, o)
		case coap.OptionIfMatch, coap.OptionIfNoneMatch, coap.OptionObserve, coap.OptionContentFormat,
			coap.OptionAccept, coap.OptionBlock1, coap.OptionBlock2, coap.OptionRequestTag,
			coap.OptionRequest:
			kept = append(kept, o)
		case coap.OptionURIHost, coap.OptionURIPort, coap.OptionProxyURI, coap.OptionProxyScheme:
			naming++
		case coap.OptionMaxAge, coap.OptionSize1, coap.OptionSize2, coap.OptionHopLimit, coap.OptionTrace: // new on every hop
		default:
			if r.protected || o.Number&1 == 1 {
				refuse(capability.ReasonBadOption)
			}
			if o.Number == coap.OptionETag {
				kept = append(kept, o)
			}
		}
	}
	switch {
	case len(options)-naming > coap.MaxOptions:
		return capability.Refusal(capability.ReasonMalformed)
	case refusal != nil:
		return refusal
	case segments > coap.MaxSegments || queries > coap.MaxQueries:
		return capability.Refusal(capability.ReasonMalformed)
	}
	r.msg.Options = kept
	return nil
}

// isName admits the segments of this profile. So no segment holds a slash, is empty or leads upwards, and
// joining segments cannot make one path out of another.
func isName(segment string) bool {
	return segment == ".well-known" || edgeistry.CheckName(segment) == nil
}

// refuseClaim keeps the claim from everybody: only the local claim, which uses the link itself, reaches it.
func refuseClaim(ctx context.Context, r *request, next handler) (*coap.Message, error) {
	if first, ok := r.msg.Get(coap.OptionURIPath); ok && string(first) == "k" {
		return capability.Refusal(capability.ReasonClaimClosed), nil
	}
	return next(ctx, r)
}
