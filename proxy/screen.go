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
func screen(req *capability.Message) *capability.Message {
	if len(req.Options) > coap.MaxOptions {
		return capability.Refusal(capability.ReasonMalformed)
	}
	_, protected := req.Get(capability.OptionRequest)
	kept := req.Options[:0:0]
	segments, queries := 0, 0
	for _, o := range req.Options {
		switch o.Number {
		case capability.OptionURIPath:
			segments++
			if len(o.Value) > maxPart {
				return capability.Refusal(capability.ReasonMalformed)
			}
			if !isName(string(o.Value)) {
				return capability.Refusal(capability.ReasonNotFound)
			}
			kept = append(kept, o)
		case capability.OptionURIQuery:
			queries++
			if len(o.Value) > maxPart {
				return capability.Refusal(capability.ReasonMalformed)
			}
			kept = append(kept, o)
		case capability.OptionIfMatch, capability.OptionIfNoneMatch, capability.OptionObserve, capability.OptionContentFormat,
			capability.OptionAccept, capability.OptionBlock1, capability.OptionBlock2, capability.OptionRequestTag,
			capability.OptionRequest:
			kept = append(kept, o)
		case capability.OptionURIHost, capability.OptionURIPort, capability.OptionProxyURI, capability.OptionProxyScheme,
			capability.OptionMaxAge, capability.OptionSize1, capability.OptionSize2,
			capability.OptionHopLimit, capability.OptionTrace: // new on every hop
		default:
			if protected || o.Number&1 == 1 {
				return capability.Refusal(capability.ReasonBadOption)
			}
			if o.Number == capability.OptionETag {
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
func opens(req *capability.Message) bool { return capability.IsHello(req) || capability.IsOpen(req) }

// isClaim tells whether a request is for the claim, which only the local claim may reach.
func isClaim(req *capability.Message) bool {
	first, ok := req.Get(capability.OptionURIPath)
	return ok && string(first) == "k"
}

func isCore(req *capability.Message) bool {
	_, protected := req.Get(capability.OptionRequest)
	return !protected && req.Code == capability.CodeGET && req.Path() == "/.well-known/core"
}
