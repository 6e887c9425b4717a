package capability

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/edgeistry/edgeistry/coap"
)

// Hello asks a verifier for a cookie. One Hello makes one Session.
type Hello struct {
	Mirror bool // set before Payload is used: address the mirror verifier at a home node

	Also       []*Capability // set before Open: they prove the session too, and all their frames must hold as well
	Discharges []*Discharge  // the words of guards; those that no frame demands stay here

	capability *Capability
	nonce      [nonceSize]byte
}

// NewHello draws the caller's nonce.
func (c *Capability) NewHello(random io.Reader) (*Hello, error) {
	h := &Hello{capability: c}
	if _, err := io.ReadFull(random, h.nonce[:]); err != nil {
		return nil, fmt.Errorf("hello: %w", err)
	}
	return h, nil
}

// Payload returns caller nonce (8) | header (12).
func (h *Hello) Payload() []byte {
	header := h.capability.Header.encode()
	header[0] |= mirrorFlag(h.Mirror)
	return append(append(make([]byte, 0, helloSize), h.nonce[:]...), header[:]...)
}

// Message returns the whole request, POST /h.
func (h *Hello) Message() *coap.Message {
	return &coap.Message{
		Code:    coap.CodePOST,
		Options: []coap.Option{{Number: coap.OptionURIPath, Value: []byte("h")}},
		Payload: h.Payload(),
	}
}

// Open takes the cookie that came back, boot u32 | tick u32 | MAC (8). The session opens with the first request
// that it protects, at most 10 s later.
func (h *Hello) Open(cookie []byte, now time.Time) (*Session, error) {
	if len(cookie) != cookieSize {
		return nil, fmt.Errorf("cookie of %d bytes, want %d", len(cookie), cookieSize)
	}
	s := &Session{
		mirror: mirrorFlag(h.Mirror), nonce: h.nonce, cookie: [cookieSize]byte(cookie),
		boot: binary.BigEndian.Uint32(cookie), next: 1,
	}
	ks, carried, err := h.prove(s.cookie)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	s.carried = carried
	s.sendFrames = len(s.carried) > keptCarried
	s.clock = newTickClock(binary.BigEndian.Uint32(cookie[4:]), now)
	s.tagger = newTagger(ks)
	return s, nil
}

// prove returns the session key of all capabilities together, and what the verifier is shown of
// them.
func (h *Hello) prove(cookie [cookieSize]byte) (ks [keySize]byte, carried []byte, err error) {
	for i, c := range append([]*Capability{h.capability}, h.Also...) {
		own := sessionKey(c.key, h.nonce, cookie)
		if i == 0 {
			ks = own
		} else {
			ks = joinKey(ks, own)
			carried = append(carried, partMark)
		}
		if carried, err = appendPart(carried, c.Header, c.Frames); err != nil {
			return ks, nil, err
		}
		for k, f := range c.Frames {
			l := f.once()
			for _, d := range h.Discharges {
				if l.hasThirdParty && d.fits(l.thirdParty) {
					bound := binding(d.key, own)
					carried = appendDischarge(carried, k+1, boundDischarge{d.Frame, bound[:]})
					break
				}
			}
		}
	}
	var parts [MaxParts]part
	if _, err = decodeParts(carried, &parts); err != nil {
		return ks, nil, fmt.Errorf("%d capabilities and %d discharges (%d bytes, %d are allowed) do not go together: %w",
			1+len(h.Also), len(h.Discharges), len(carried), maxCarried, err)
	}
	return ks, carried, nil
}

func mirrorFlag(mirror bool) uint8 {
	if mirror {
		return mirrorBit
	}
	return 0
}
