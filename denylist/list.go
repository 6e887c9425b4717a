package denylist

import (
	"slices"
	"sync"

	"github.com/edgeistry/edgeistry/capability"
)

// MaxEntries bounds the list of one service.
const MaxEntries = 1024

// Judgement is what a list says of a request.
type Judgement uint8

// The judgements.
const (
	Pass   Judgement = iota
	Denied           // it shows a denied capability, or is in a session of one
	Unseen           // it is in a session that was not seen opened: whose it is cannot be told
)

// ReasonDenied is the reason of a refusal because of a deny list (docs/spec/capability.md, Errors).
const ReasonDenied capability.Reason = 28

// Refusal gives the answer for a request that does not pass. It has no tag: the service did not see the request.
func Refusal(j Judgement) *capability.Message {
	if j == Unseen {
		return capability.Refusal(capability.ReasonNoSession)
	}
	return &capability.Message{Code: capability.CodeForbidden, Payload: []byte{byte(ReasonDenied)}}
}

// List is the deny list of one service at one node, and what the node saw of the service's sessions. The zero value denies nothing. It is
// safe for concurrent use.
type List struct {
	mu      sync.Mutex
	entries map[Fingerprint]struct{}
	seen    map[session][]Fingerprint // of the capability that opened it last; at most 512, two for each slot number
}

// session names a session as requests do.
type session struct {
	slot   uint8
	mirror bool // of the mirror verifier, not of the service
}

// Set replaces the entries. It has effect on open sessions, too.
func (l *List) Set(entries []Fingerprint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = make(map[Fingerprint]struct{}, len(entries))
	for _, e := range entries {
		l.entries[e] = struct{}{}
	}
}

// Judge says whether a request may pass.
func (l *List) Judge(req *capability.Message) Judgement {
	value, ok := req.Get(capability.OptionRequest)
	if !ok {
		return Pass
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entries) == 0 {
		return Pass
	}
	p := parse(value)
	if slices.ContainsFunc(shown(p.carried), l.has) {
		return Denied
	}
	if p.form != formSession && p.form != formSessionFrames {
		return Pass
	}
	of, ok := l.seen[p.session]
	switch {
	case !ok:
		return Unseen
	case slices.ContainsFunc(of, l.has):
		return Denied
	}
	return Pass
}

func (l *List) has(f Fingerprint) bool {
	_, ok := l.entries[f]
	return ok
}

// Learn notes whose session an answer opened. It must see every request that passed, with its answer, before the next request is judged.
func (l *List) Learn(req, resp *capability.Message) {
	value, ok := req.Get(capability.OptionRequest)
	if !ok {
		return
	}
	p := parse(value)
	if p.form != formOpen {
		return
	}
	answer, ok := resp.Get(capability.OptionResponse)
	if !ok || len(answer) < 2 || answer[0]&^(bitMirror|bitPrivate) != formOpen {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == nil {
		l.seen = make(map[session][]Fingerprint)
	}
	l.seen[session{answer[1], p.session.mirror}] = shown(p.carried)
}
