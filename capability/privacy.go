package capability

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/edgeistry/edgeistry/capability/internal/ascon"
	"github.com/edgeistry/edgeistry/coap"
)

// A private message is a POST or a 2.04 whose payload is an inner message, encrypted with Ascon-AEAD128 (NIST SP 800-232) under
// keys of the session, with a tag of 4 bytes. What proves it is the session's tag, which covers the ciphertext.
//
//	key     H(ks, 05 | direction), first 16 bytes       direction 0 request, 1 answer
//	nonce   sequence u32 | notification u32 | zero (8)

const (
	directionRequest = 0
	directionAnswer  = 1

	privateTag      = 4
	privateOverhead = 1 + 1 + privateTag // code, payload marker, cipher's tag
)

// cipher returns the one of a direction.
func (t *tagger) cipher(direction byte) *ascon.AEAD {
	key := derive(t.ks[:], []byte{labelPrivacy, direction})
	aead, err := ascon.NewAEADWithTagSize([ascon.KeySize]byte(key[:]), privateTag)
	if err != nil {
		panic("capability: the cipher's tag is of a size that the standard allows") // cannot happen: it is constant
	}
	return aead
}

func privateNonce(sequence uint32) []byte {
	return binary.BigEndian.AppendUint32(make([]byte, 0, ascon.NonceSize), sequence)[:ascon.NonceSize]
}

func (t *tagger) encrypt(direction byte, sequence uint32, m *coap.Message) []byte {
	b := appendInner(make([]byte, 0, 64+len(m.Payload)), m)
	return t.cipher(direction).Seal(b[:0], privateNonce(sequence), b, nil)
}

// decrypt returns the inner message. False: it does not decrypt, or is none.
func (t *tagger) decrypt(direction byte, sequence uint32, ciphertext []byte) (*coap.Message, bool) {
	b, err := t.cipher(direction).Open(nil, privateNonce(sequence), ciphertext, nil)
	if err != nil {
		return nil, false
	}
	return parseInner(b)
}

// checkOuter looks at a private request before any key is used.
func (g *Guard) checkOuter(req *coap.Message) Reason {
	if !g.cfg.EnablePrivacy {
		return ReasonTooLarge
	}
	for i := range req.Options {
		if n := req.Options[i].Number; n != coap.OptionRequest && coverageOf(n) == covered {
			return ReasonBadOption
		}
	}
	if req.Code != coap.CodePOST {
		return ReasonMalformed
	}
	return ReasonNone
}

// decrypt returns the request inside a private one.
func (a *Admission) decrypt(outer *coap.Message) (*coap.Message, Reason) {
	inner, ok := a.tagger.decrypt(directionRequest, a.Sequence, outer.Payload)
	if !ok || inner.Code == coap.CodeEmpty || inner.Code>>5 != 0 {
		return nil, ReasonMalformed
	}
	a.keeps = inner.Code == coap.CodePOST
	if len(inner.Options) > coap.MaxOptions {
		return inner, ReasonMalformed
	}
	good := slices.IndexFunc(inner.Options, func(o coap.Option) bool { return !hides(o.Number) })
	if good < 0 {
		good = len(inner.Options)
	}
	_, r := scan(&coap.Message{Options: inner.Options[:good]}) // the first wrong option decides
	if r == ReasonNone && good < len(inner.Options) {
		r = ReasonBadOption
	}
	return inner, r
}

// hides reports whether an option may stand in an inner request.
func hides(number uint16) bool {
	return coverageOf(number) == covered && number != coap.OptionObserve && number != coap.OptionRequest
}

// encrypt returns the outer answer of an inner one.
func (a *Admission) encrypt(inner *coap.Message) *coap.Message {
	return &coap.Message{Code: coap.CodeChanged, Payload: a.tagger.encrypt(directionAnswer, a.Sequence, inner)}
}

// EnablePrivacy hides code, options and payload of every request that Protect gets from here on, and of the answers, from
// everybody on the way. Not hidden are sizes, times, the service, and the frames where they are sent. It costs 10 bytes or so.
// A private request cannot observe.
func (s *Session) EnablePrivacy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.private = privateBit
}

// hide turns m into the outer request that holds it.
func (s *Session) hide(m *coap.Message, sequence uint32) error {
	m.Remove(coap.OptionRequest)
	previous := uint16(0)
	for i := range m.Options {
		o := &m.Options[i]
		if !hides(o.Number) || o.Number < previous || len(o.Value) > 255 {
			return fmt.Errorf("option %d cannot stand in a private request here", o.Number)
		}
		previous = o.Number
	}
	*m = coap.Message{Code: coap.CodePOST, Payload: s.tagger.encrypt(directionRequest, sequence, m)}
	return nil
}

// reveal turns a proved answer to a private request into the one that it holds. A bare reason 9 stays: nothing is encrypted twice
// under one nonce. False: it is neither.
func (s *Session) reveal(p *Pending, resp *coap.Message) bool {
	if resp.Code == ReasonResultGone.Code() && len(resp.Payload) == 1 && Reason(resp.Payload[0]) == ReasonResultGone {
		return true
	}
	if resp.Code != coap.CodeChanged {
		return false
	}
	inner, ok := s.tagger.decrypt(directionAnswer, p.sequence, resp.Payload)
	if !ok || len(inner.Options) > coap.MaxOptions || inner.Code>>5 < 2 {
		return false
	}
	*resp = *inner
	return true
}
