package udpserver

import (
	"crypto/sha256"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// requestKey names one message of a source. A repetition is the same message in all its bytes: a short one with the same ID is
// another message, so nobody gets a long answer for it that somebody else asked for.
type requestKey struct {
	messageKey
	sum [sha256.Size]byte
}

// remembered keeps the last requests with their answers, so that a repeated message gets the
// same answer and nothing runs twice (RFC 7252 section 4.5). It drops a request after exchangeLifetime, or sooner when
// it is full: the oldest goes first. A request that must never run twice is guarded by its session.
type remembered struct {
	known *simplelru.LRU[requestKey, *memory] // in the order in which they came: nothing is moved to the front
}

type memory struct {
	since  time.Time
	answer []byte // nil while there is none to repeat
}

func newRemembered(limit int) *remembered {
	known, err := simplelru.NewLRU[requestKey, *memory](limit, nil)
	if err != nil {
		panic(err) // cannot happen: Config.withDefaults makes the limit positive
	}
	return &remembered{known: known}
}

// add returns the memory of a message, and reports whether it is known already.
func (r *remembered) add(key requestKey, now time.Time) (*memory, bool) {
	for _, oldest, ok := r.known.GetOldest(); ok && now.Sub(oldest.since) >= exchangeLifetime; _, oldest, ok = r.known.GetOldest() {
		r.known.RemoveOldest()
	}
	if m, ok := r.known.Peek(key); ok {
		return m, true
	}
	m := &memory{since: now}
	r.known.Add(key, m)
	return m, false
}

func (r *remembered) remove(key requestKey) { r.known.Remove(key) }
