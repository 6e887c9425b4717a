package proxy

import (
	"container/list"
	"time"
)

// remembered keeps the message IDs of the last requests with their answers, so that a repeated message gets the
// same answer and nothing runs twice (RFC 7252 section 4.5). It forgets after exchangeLifetime, or sooner when
// it is full. A request that must never run twice is guarded by its session.
type remembered struct {
	limit int
	known map[messageKey]*list.Element // of *memory
	order *list.List                   // oldest in front
}

type memory struct {
	key    messageKey
	since  time.Time
	answer []byte // nil while there is none to repeat
}

func newRemembered(limit int) *remembered {
	return &remembered{limit: limit, known: make(map[messageKey]*list.Element), order: list.New()}
}

// add gives the memory of a message, and whether it is known already.
func (r *remembered) add(key messageKey, now time.Time) (*memory, bool) {
	for e := r.order.Front(); e != nil && now.Sub(e.Value.(*memory).since) >= exchangeLifetime; e = r.order.Front() {
		r.drop(e)
	}
	if e, ok := r.known[key]; ok {
		return e.Value.(*memory), true
	}
	if r.order.Len() >= r.limit {
		r.drop(r.order.Front())
	}
	m := &memory{key: key, since: now}
	r.known[key] = r.order.PushBack(m)
	return m, false
}

func (r *remembered) remove(key messageKey) {
	if e, ok := r.known[key]; ok {
		r.drop(e)
	}
}

func (r *remembered) drop(e *list.Element) {
	delete(r.known, e.Value.(*memory).key)
	r.order.Remove(e)
}
