package denylist

import (
	"slices"
	"sync"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
)

// MaxEntries bounds the list of one service.
const MaxEntries = 1024

// Judgement is what a list says of a request.
type Judgement uint8

// The judgements.
const (
	Pass   Judgement = iota
	Denied           // it shows a denied capability; or it shows none, in a slot that one of them opened last
	Unseen           // it is in a session that was not seen opened: whose it is cannot be told
)

// Refusal returns the answer for a request that does not pass. It has no tag: the service did not
// see the request.
func Refusal(j Judgement) *coap.Message {
	if j == Unseen {
		return capability.Refusal(capability.ReasonNoSession)
	}
	return capability.Refusal(capability.ReasonDenyListed)
}

// List is the deny list of one service at one node, and what the node saw of the service's
// sessions. The zero value denies nothing. It is safe for concurrent use.
type List struct {
	mu      sync.Mutex
	entries map[Fingerprint]struct{}
	seen    map[session]opener // at most 512, two for each slot number
}

// opener is the capability that opened a session last, as far as this node saw.
type opener struct {
	of []Fingerprint
	// before is set if it did so before the list last gained an entry. What is denied by now may
	// have taken the slot from it since, through another home node, or with an answer that was
	// lost; later it could not, where every home node has the list.
	before bool
}

// session names a session as requests do.
type session struct {
	slot   uint8
	mirror bool // of the mirror verifier, not of the service
}

// Set replaces the entries. It has effect on open sessions, too: where it adds one, all must be
// opened anew.
func (l *List) Set(entries []Fingerprint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	gained := slices.ContainsFunc(entries, func(e Fingerprint) bool { return !l.has(e) })
	l.entries = make(map[Fingerprint]struct{}, len(entries))
	for _, e := range entries {
		l.entries[e] = struct{}{}
	}
	for s, o := range l.seen {
		o.before = o.before || gained
		l.seen[s] = o
	}
}

// Has reports whether a fingerprint is on the list.
func (l *List) Has(f Fingerprint) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.has(f)
}

// Judge reports whether a request may pass.
func (l *List) Judge(req *coap.Message) Judgement {
	if _, ok := req.Get(coap.OptionRequest); !ok {
		return Pass
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entries) == 0 {
		return Pass
	}
	shown, shows := capability.ShownFingerprints(req)
	if shows && slices.ContainsFunc(listed(shown), l.has) {
		return Denied
	}
	slot, ok := capability.Slot(req)
	if !ok {
		return Pass
	}
	o, ok := l.seen[session{slot, capability.IsMirror(req)}]
	switch {
	case slices.ContainsFunc(o.of, l.has) && !shows:
		return Denied // or it is of who lost the slot to that one, and shows its own when it asks again
	case slices.ContainsFunc(o.of, l.has), !ok, o.before:
		return Unseen
	}
	return Pass
}

func (l *List) has(f Fingerprint) bool {
	_, ok := l.entries[f]
	return ok
}

// Learn notes whose session an answer opened. It must see every request that passed, with its
// answer, before the next request is judged.
func (l *List) Learn(req, resp *coap.Message) {
	if !capability.IsOpen(req) {
		return
	}
	shown, ok := capability.ShownFingerprints(req)
	if !ok {
		return
	}
	if _, proven := resp.Get(coap.OptionResponse); !proven {
		return // a refusal without proof opened nothing
	}
	slot, ok := capability.Slot(&coap.Message{Options: resp.Options})
	if !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == nil {
		l.seen = make(map[session]opener)
	}
	l.seen[session{slot, capability.IsMirror(req)}] = opener{of: listed(shown)}
}
