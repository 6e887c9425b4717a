package coap

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrMalformed reports that bytes are no CoAP message at all: RFC 7252 section 3 calls it a message
// format error.
var ErrMalformed = errors.New("malformed CoAP message")

// OptionError reports that a message is well formed but carries an option that must not be there:
// of illegal length, twice, or number 0. A library that drops such options silently would repair a
// protected message on its way, so the whole message is refused.
type OptionError struct {
	Number uint16
	Why    string
}

func (e *OptionError) Error() string { return fmt.Sprintf("option %d: %s", e.Number, e.Why) }

// Critical reports whether the option is critical (RFC 7252 section 5.4.6: an odd number).
func (e *OptionError) Critical() bool { return e.Number&1 == 1 }

// Code is the answer's code: 4.02 for a critical option, 4.00 for an elective one.
func (e *OptionError) Code() uint8 {
	if e.Critical() {
		return CodeBadOption
	}
	return CodeBadRequest
}

// The reasons of docs/spec/capability.md, Errors, for a message that is refused unread.
const (
	reasonMalformed = 1
	reasonBadOption = 2
)

// Refusal returns the answer to a request that is refused unread for the sake of the option.
func (e *OptionError) Refusal() *Message {
	if e.Critical() {
		return &Message{Code: e.Code(), Payload: []byte{reasonBadOption}}
	}
	return &Message{Code: e.Code(), Payload: []byte{reasonMalformed}}
}

type optionRule struct {
	min, max   int
	repeatable bool
}

// rule returns the legal lengths of a known option: RFC 7252 section 5.10, RFC 7641, 7959, 8768,
// 9175, and the private ones of docs/spec/wire.md.
func rule(number uint16) (optionRule, bool) {
	switch number {
	case OptionIfMatch:
		return optionRule{0, 8, true}, true
	case OptionURIHost, OptionProxyScheme:
		return optionRule{1, 255, false}, true
	case OptionETag:
		return optionRule{1, 8, true}, true
	case OptionIfNoneMatch:
		return optionRule{0, 0, false}, true
	case OptionObserve, OptionBlock2, OptionBlock1:
		return optionRule{0, 3, false}, true
	case OptionURIPort, OptionContentFormat, OptionAccept:
		return optionRule{0, 2, false}, true
	case 8, OptionURIPath, OptionURIQuery, 20: // 8 and 20: Location-Path, Location-Query
		return optionRule{0, 255, true}, true
	case OptionMaxAge, OptionSize2, OptionSize1:
		return optionRule{0, 4, false}, true
	case OptionHopLimit:
		return optionRule{1, 1, false}, true
	case OptionProxyURI:
		return optionRule{1, 1034, false}, true
	case OptionEcho:
		return optionRule{1, 40, false}, true
	case OptionRequestTag:
		return optionRule{0, 8, true}, true
	case OptionResponse:
		return optionRule{14, 32, false}, true
	case OptionRequest:
		return optionRule{17, 255, false}, true
	case OptionTrace:
		return optionRule{0, 64, false}, true
	}
	return optionRule{}, false
}

// scanOptions reads the options at the head of raw, the part of a message after its token. It gives the offset
// of the payload, which is len(raw) if there is none. Everything is checked before any option is kept: form
// (ErrMalformed), at most MaxOptions options, and each known option's length and count (*OptionError; the offset is
// right even then).
//
//	+---------------+---------------+---------------+--------------+---------+
//	| delta 4 bits  | length 4 bits | delta 0-2 B   | length 0-2 B | value   |  ... FF payload
//	+---------------+---------------+---------------+--------------+---------+
func scanOptions(raw []byte) (payload int, err error) {
	var (
		illegal *OptionError
		number  int
		count   int
	)
	note := func(why string) {
		if illegal == nil {
			illegal = &OptionError{Number: uint16(number), Why: why}
		}
	}
	at := 0
	for at < len(raw) {
		if raw[at] == 0xFF {
			at++
			if at == len(raw) {
				return 0, fmt.Errorf("%w: payload marker without payload", ErrMalformed)
			}
			break
		}
		delta, length, next, err := optionHeader(raw, at)
		if err != nil {
			return 0, err
		}
		if next+length > len(raw) || number+delta > 0xFFFF {
			return 0, fmt.Errorf("%w: option beyond the end", ErrMalformed)
		}
		if count++; count > MaxOptions {
			return 0, fmt.Errorf("%w: more than %d options", ErrMalformed, MaxOptions)
		}
		number += delta
		r, known := rule(uint16(number))
		switch {
		case number == 0:
			note("reserved number")
		case known && (length < r.min || length > r.max):
			note("illegal length")
		case known && delta == 0 && !r.repeatable:
			note("more than once")
		}
		at = next + length
	}
	if illegal != nil {
		return at, illegal
	}
	return at, nil
}

// optionHeader reads delta and length at raw[at]; next is where the value starts.
func optionHeader(raw []byte, at int) (delta, length, next int, err error) {
	delta, length = int(raw[at]>>4), int(raw[at]&0x0F)
	at++
	for _, field := range []*int{&delta, &length} {
		switch *field {
		case 13:
			if at+1 > len(raw) {
				return 0, 0, 0, fmt.Errorf("%w: option cut short", ErrMalformed)
			}
			*field = int(raw[at]) + 13
			at++
		case 14:
			if at+2 > len(raw) {
				return 0, 0, 0, fmt.Errorf("%w: option cut short", ErrMalformed)
			}
			*field = int(binary.BigEndian.Uint16(raw[at:])) + 269
			at += 2
		case 15:
			return 0, 0, 0, fmt.Errorf("%w: reserved option header", ErrMalformed)
		}
	}
	return delta, length, at, nil
}
