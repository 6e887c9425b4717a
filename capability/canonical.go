package capability

import (
	"encoding/binary"
	"fmt"

	"github.com/edgeistry/edgeistry/coap"
)

// coverage reports how the request tag treats an option; docs/spec/capability.md, Request tag.
type coverage uint8

const (
	uncovered coverage = iota // in neither list: may not stand in a protected request
	covered                   // under the tag
	hopByHop                  // not under the tag, never acted on by a verifier
)

func coverageOf(number uint16) coverage {
	switch number {
	case coap.OptionIfMatch, coap.OptionIfNoneMatch, coap.OptionObserve, coap.OptionURIPath, coap.OptionContentFormat, coap.OptionURIQuery,
		coap.OptionAccept, coap.OptionBlock2, coap.OptionBlock1, coap.OptionRequestTag, coap.OptionRequest:
		return covered
	case coap.OptionURIHost, coap.OptionURIPort, coap.OptionMaxAge, coap.OptionHopLimit, coap.OptionProxyURI, coap.OptionProxyScheme,
		coap.OptionSize2, coap.OptionSize1, coap.OptionTrace:
		return hopByHop
	}
	return uncovered
}

// canonicalRequest appends what a request tag covers, after the fields of option 65001 that stand before it:
//
//	code u8 | per covered option, ascending: number u16 | length u16 | value | payload length u16 | payload
//
// Option 65001 counts without its tag. Options that are new on every hop are left out; one that is in neither
// list of docs/spec/capability.md, a missing 65001 and an order that descends are errors.
func canonicalRequest(dst []byte, m *coap.Message) ([]byte, error) {
	dst = append(dst, m.Code)
	found := false
	previous := uint16(0)
	for i := range m.Options {
		o := &m.Options[i]
		if o.Number < previous {
			return nil, fmt.Errorf("option %d stands behind %d", o.Number, previous)
		}
		previous = o.Number
		value := o.Value
		switch coverageOf(o.Number) {
		case hopByHop:
			continue
		case uncovered:
			return nil, fmt.Errorf("option %d may not stand in a protected request", o.Number)
		case covered:
		}
		if o.Number == coap.OptionRequest {
			cut := requestTagSize(value)
			if found || cut == 0 || len(value) < cut {
				return nil, fmt.Errorf("option %d is malformed", coap.OptionRequest)
			}
			found = true
			value = value[:len(value)-cut]
		}
		var err error
		if dst, err = appendOption(dst, o.Number, value); err != nil {
			return nil, err
		}
	}
	if !found {
		return nil, fmt.Errorf("option %d is missing", coap.OptionRequest)
	}
	return appendPayload(dst, m.Payload)
}

// canonicalResponse appends what a response tag covers: as canonicalRequest with the options ETag,
// Content-Format, Block2, Block1, and 65000 without its tag. Other options are left out.
func canonicalResponse(dst []byte, m *coap.Message) ([]byte, error) {
	dst = append(dst, m.Code)
	found := false
	previous := uint16(0)
	for i := range m.Options {
		o := &m.Options[i]
		if o.Number < previous {
			return nil, fmt.Errorf("option %d stands behind %d", o.Number, previous)
		}
		previous = o.Number
		value := o.Value
		switch o.Number {
		case coap.OptionETag, coap.OptionContentFormat, coap.OptionBlock2, coap.OptionBlock1:
		case coap.OptionResponse:
			cut := responseTagSize(value)
			if found || cut == 0 || len(value) < cut {
				return nil, fmt.Errorf("option %d is malformed", coap.OptionResponse)
			}
			found = true
			value = value[:len(value)-cut]
		default:
			continue
		}
		var err error
		if dst, err = appendOption(dst, o.Number, value); err != nil {
			return nil, err
		}
	}
	if !found {
		return nil, fmt.Errorf("option %d is missing", coap.OptionResponse)
	}
	return appendPayload(dst, m.Payload)
}

func appendOption(dst []byte, number uint16, value []byte) ([]byte, error) {
	if len(value) > 0xffff {
		return nil, fmt.Errorf("option %d of %d bytes", number, len(value))
	}
	n := len(value)
	dst = append(dst, byte(number>>8), byte(number), byte(n>>8), byte(n))
	return append(dst, value...), nil
}

func appendPayload(dst, payload []byte) ([]byte, error) {
	if len(payload) > 0xffff {
		return nil, fmt.Errorf("payload of %d bytes", len(payload))
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(payload)))
	return append(dst, payload...), nil
}
