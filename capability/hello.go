package capability

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// Hello asks a verifier for a cookie. One Hello makes one Session.
type Hello struct {
	Mirror bool // set before Payload is used: address the mirror verifier at a home node

	capability *Capability
	nonce      [nonceSize]byte
}

// NewHello draws the caller's nonce.
func NewHello(random io.Reader, c *Capability) (*Hello, error) {
	h := &Hello{capability: c}
	if _, err := io.ReadFull(random, h.nonce[:]); err != nil {
		return nil, fmt.Errorf("hello: %w", err)
	}
	return h, nil
}

// Payload gives caller nonce (8) | header (12).
func (h *Hello) Payload() []byte {
	header := h.capability.Header.encode()
	header[0] |= mirrorFlag(h.Mirror)
	return append(append(make([]byte, 0, helloSize), h.nonce[:]...), header[:]...)
}

// Message gives the whole request, POST /h.
func (h *Hello) Message() *Message {
	return &Message{
		Code:    CodePOST,
		Options: []Option{{OptionURIPath, []byte("h")}},
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
		carried: h.capability.Carried(), boot: binary.BigEndian.Uint32(cookie), next: 1,
	}
	s.sendFrames = len(s.carried) > keptCarried
	s.clock = newTickClock(binary.BigEndian.Uint32(cookie[4:]), now)
	s.tagger = newTagger(sessionKey(h.capability.key, s.nonce, s.cookie))
	return s, nil
}

func mirrorFlag(mirror bool) uint8 {
	if mirror {
		return mirrorBit
	}
	return 0
}
