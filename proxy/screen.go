package proxy

import (
	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
)

// Limits of a request's naming options (docs/spec/wire.md).
const (
	maxSegments = 3
	maxQueries  = 4
	maxPart     = edgeistry.MaxName
)

// screen checks a named request and takes out what is new on every hop. It never mends a protected request: what may not
// stand in one is refused.
func screen(req *coap.Message) *coap.Message {
	if len(req.Options) > coap.MaxOptions {
		return capability.Refusal(capability.ReasonMalformed)
	}
	_, protected := req.Get(coap.OptionRequest)
	kept := req.Options[:0:0]
	segments, queries := 0, 0
	for _, o := range req.Options {
		switch o.Number {
		case coap.OptionURIPath:
			segments++
			if len(o.Value) > maxPart {
				return capability.Refusal(capability.ReasonMalformed)
			}
			if !isName(string(o.Value)) {
				return capability.Refusal(capability.ReasonNotFound)
			}
			kept = append(kept, o)
		case coap.OptionURIQuery:
			queries++
			if len(o.Value) > maxPart {
				return capability.Refusal(capability.ReasonMalformed)
			}
			kept = append(kept, o)
		case coap.OptionIfMatch, coap.OptionIfNoneMatch, coap.OptionObserve, coap.OptionContentFormat,
			coap.OptionAccept, coap.OptionBlock1, coap.OptionBlock2, coap.OptionRequestTag,
			coap.OptionRequest:
			kept = append(kept, o)
		case coap.OptionURIHost, coap.OptionURIPort, coap.OptionProxyURI, coap.OptionProxyScheme,
			coap.OptionMaxAge, coap.OptionSize1, coap.OptionSize2,
			coap.OptionHopLimit, coap.OptionTrace: // new on every hop
		default:
			if protected || o.Number&1 == 1 {
				return capability.Refusal(capability.ReasonBadOption)
			}
			if o.Number == coap.OptionETag {
				kept = append(kept, o)
			}
		}
	}
	if segments > maxSegments || queries > maxQueries {
		return capability.Refusal(capability.ReasonMalformed)
	}
	req.Options = kept
	return nil
}

// isName admits the segments of this profile. So no segment holds a slash, is empty or leads upwards, and
// joining segments cannot make one path out of another.
func isName(segment string) bool {
	return segment == ".well-known" || edgeistry.CheckName(segment) == nil
}

// opens tells whether a request costs the verifier a cookie or a chain.
func opens(req *coap.Message) bool { return capability.IsHello(req) || capability.IsOpen(req) }

// isClaim tells whether a request is for the claim, which only the local claim may reach.
func isClaim(req *coap.Message) bool {
	first, ok := req.Get(coap.OptionURIPath)
	return ok && string(first) == "k"
}

func isCore(req *coap.Message) bool {
	_, protected := req.Get(coap.OptionRequest)
	return !protected && req.Code == coap.CodeGET && req.Path() == "/.well-known/core"
}
