package proxy

import (
	"container/list"
	"math"
	"sync"
	"time"

	"github.com/edgeistry/edgeistry/coap"
)

// peers counts what each peer has under way, and how often it opened sessions lately. It remembers a bounded number of
// peers: the one seen longest ago with nothing under way goes first.
type peers struct {
	limits Limits

	mu     sync.Mutex
	known  map[string]*list.Element // of *peer
	recent *list.List
}

type peer struct {
	name     string
	underWay int
	openings float64 // how many more it may make now
	counted  time.Time
}

func newPeers(limits Limits) *peers {
	return &peers{limits: limits, known: make(map[string]*list.Element), recent: list.New()}
}

// enter counts a request; false means that the peer has too many under way. leave must be called when it is over.
func (p *peers) enter(from coap.Source) (leave func(), ok bool) {
	if from.Local {
		return func() {}, true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	who := p.find(from.Peer)
	if who == nil || who.underWay >= p.limits.UnderWay {
		return nil, false
	}
	who.underWay++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		who.underWay--
	}, true
}

// open takes one opening from the peer's ration: Openings at once, and as many again in each OpeningsWindow. If it is
// used up, wait says when the next one is there.
func (p *peers) open(from coap.Source, now time.Time) (wait time.Duration, ok bool) {
	if from.Local {
		return 0, true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	who := p.find(from.Peer)
	if who == nil {
		return time.Second, false
	}
	rate := float64(p.limits.Openings) / p.limits.OpeningsWindow.Seconds()
	if who.counted.IsZero() {
		who.openings = float64(p.limits.Openings)
	} else {
		who.openings = min(float64(p.limits.Openings), who.openings+now.Sub(who.counted).Seconds()*rate)
	}
	who.counted = now
	if who.openings < 1 {
		return time.Duration((1 - who.openings) / rate * float64(time.Second)), false
	}
	who.openings--
	return 0, true
}

// find gives the peer's counts, or nil if all places are taken by peers at work. The caller holds mu.
func (p *peers) find(name string) *peer {
	if e, ok := p.known[name]; ok {
		p.recent.MoveToFront(e)
		return e.Value.(*peer)
	}
	if p.recent.Len() >= p.limits.Peers && !p.evict() {
		return nil
	}
	who := &peer{name: name}
	p.known[name] = p.recent.PushFront(who)
	return who
}

func (p *peers) evict() bool {
	for e := p.recent.Back(); e != nil; e = e.Prev() {
		if who := e.Value.(*peer); who.underWay == 0 {
			delete(p.known, who.name)
			p.recent.Remove(e)
			return true
		}
	}
	return false
}

// seconds rounds up, for Max-Age.
func seconds(d time.Duration) uint32 {
	return uint32(max(1, math.Ceil(d.Seconds())))
}
