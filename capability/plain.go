package capability

import "github.com/edgeistry/edgeistry/coap"

// Unprotected returns the reason with which a request without option 65001 is refused: "A request without protection" of
// docs/spec/capability.md. The resources that need no capability (hello, claim, links) are asked before, by their path and method.
func (g *Guard) Unprotected(m *coap.Message) Reason {
	if r := scanPlain(m); r != ReasonNone {
		return r
	}
	if _, r := g.query(m); r != ReasonNone {
		return r
	}
	if isOpen(m) {
		return ReasonMethod // the right method does not get here
	}
	if _, r := TargetOf(m); r != ReasonNone {
		return r
	}
	return ReasonNeedCapability
}

// isOpen reports whether the path is one of those that need no capability.
func isOpen(m *coap.Message) bool {
	switch m.Path() {
	case "/h", "/k", "/.well-known/core":
		return true
	}
	return false
}

// checkHello looks at a hello's options: none that asks for a condition, a block or a format is served.
func checkHello(m *coap.Message) Reason {
	if r := scanPlain(m); r != ReasonNone {
		return r
	}
	if _, err := m.Query(); err != nil {
		return ReasonBadOption
	}
	for _, o := range m.Options {
		switch o.Number {
		case coap.OptionIfMatch, coap.OptionIfNoneMatch, coap.OptionBlock1, coap.OptionBlock2, coap.OptionAccept:
			return ReasonBadOption
		}
	}
	return ReasonNone
}

// scanPlain looks at the options of a request without option 65001, in their order. Elective ones that are not known are ignored.
func scanPlain(m *coap.Message) Reason {
	if len(m.Options) > coap.MaxOptions {
		return ReasonMalformed
	}
	var known []coap.Option
	for _, o := range m.Options {
		length, own := len(o.Value), true
		switch o.Number {
		case coap.OptionURIHost:
			own = length >= 1 && length <= 255
		case coap.OptionURIPort:
			own = length <= 2
		case coap.OptionSize1, coap.OptionSize2:
			own = length <= 4
		default:
			if coverageOf(o.Number) == covered {
				known = append(known, o)
				if _, r := scan(&coap.Message{Options: known}); r != ReasonNone {
					return r
				}
			} else if o.Number&1 != 0 {
				return ReasonBadOption
			}
		}
		if !own {
			return ReasonMalformed
		}
	}
	return ReasonNone
}
