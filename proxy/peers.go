package proxy

import (
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"

	"github.com/edgeistry/edgeistry/coap"
)

// peers counts what each peer has under way, and how often it opened sessions lately. It remembers a bounded number of
// peers: the one seen longest ago with nothing under way goes first.
type peers struct {
	limits Limits

	mu    sync.Mutex
	known *simplelru.LRU[string, *peer]
}

type peer struct {
	underWay int
	openings *rate.Limiter
}

func newPeers(limits Limits) *peers {
	known, err := simplelru.NewLRU[string, *peer](limits.Peers, nil)
	if err != nil {
		panic(err) // cannot happen: Limits.withDefaults makes the number positive
	}
	return &peers{limits: limits, known: known}
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
	taken := who.openings.ReserveN(now, 1)
	if wait = taken.DelayFrom(now); wait > 0 {
		taken.CancelAt(now)
		return wait, false
	}
	return 0, true
}

// find returns the peer's counts, or nil if all places are taken by peers at work. The caller holds mu.
func (p *peers) find(name string) *peer {
	if who, ok := p.known.Get(name); ok {
		return who
	}
	if p.known.Len() >= p.limits.Peers && !p.evict() {
		return nil
	}
	who := &peer{openings: rate.NewLimiter(rate.Limit(float64(p.limits.Openings)/p.limits.OpeningsWindow.Seconds()), p.limits.Openings)}
	p.known.Add(name, who)
	return who
}

// evict drops the peer seen longest ago. A peer at work counts as seen just now.
func (p *peers) evict() bool {
	for range p.known.Len() {
		name, who, ok := p.known.GetOldest()
		if ok && who.underWay == 0 {
			return p.known.Remove(name)
		}
		p.known.Get(name)
	}
	return false
}

// seconds rounds up, for Max-Age.
func seconds(d time.Duration) uint32 {
	return uint32(max(1, math.Ceil(d.Seconds())))
}
