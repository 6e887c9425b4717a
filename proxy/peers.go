package proxy

import (
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/coap"
)

// maxSessions bounds the sessions that are remembered of one peer. A request in one that was forgotten costs an opening.
const maxSessions = 64

// peers counts what each peer has under way, how often it opened sessions lately, and which ones. It remembers a bounded number of
// peers: of those with nothing under way the one seen longest ago goes first, and proved peers go last.
type peers struct {
	limits Limits

	mu    sync.Mutex
	known *simplelru.LRU[string, *peer]
}

type peer struct {
	underWay int
	openings *rate.Limiter
	proved   bool                 // a service answered it with a tagged success
	sessions map[session]struct{} // whose answers were tagged
}

// session is a session at a service, or at the verifier of its mirror.
type session struct {
	service edgeistry.ServiceID
	slot    uint8
	mirror  bool
	ok      bool // false: none
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

// holds reports whether a peer is known to be in a session, and whether the peer is proved.
func (p *peers) holds(from coap.Source, s session) (held, proved bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	who, ok := p.known.Peek(from.Peer)
	if !ok {
		return false, false
	}
	_, held = who.sessions[s]
	return held && s.ok, who.proved
}

// credit returns what is left of a peer's ration of openings.
func (p *peers) credit(from coap.Source, now time.Time) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if who, ok := p.known.Peek(from.Peer); ok {
		return who.openings.TokensAt(now)
	}
	return 0
}

// learn notes that a service answered a peer with a tag: the session is the peer's. A success proves the peer.
func (p *peers) learn(from coap.Source, s session, success bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	who, known := p.known.Peek(from.Peer)
	if !known {
		return
	}
	who.proved = who.proved || success
	if _, known := who.sessions[s]; known || !s.ok {
		return
	}
	if who.sessions == nil {
		who.sessions = make(map[session]struct{})
	}
	for other := range who.sessions {
		if len(who.sessions) < maxSessions {
			break
		}
		delete(who.sessions, other)
	}
	who.sessions[s] = struct{}{}
}

// spend takes one opening for a request that turned out to be junk. The ration may fall short by one OpeningsWindow at most.
func (p *peers) spend(from coap.Source, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	who, ok := p.known.Peek(from.Peer)
	if !ok {
		return
	}
	if taken := who.openings.ReserveN(now, 1); taken.DelayFrom(now) > p.limits.OpeningsWindow {
		taken.CancelAt(now)
	}
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

// evict drops the peer seen longest ago, a proved one only if all are proved. A peer at work counts as seen just now.
func (p *peers) evict() bool {
	for _, proved := range [...]bool{false, true} {
		for range p.known.Len() {
			name, who, ok := p.known.GetOldest()
			if ok && who.underWay == 0 && (proved || !who.proved) {
				return p.known.Remove(name)
			}
			p.known.Get(name)
		}
	}
	return false
}

// seconds rounds up, for Max-Age.
func seconds(d time.Duration) uint32 {
	return uint32(max(1, math.Ceil(d.Seconds())))
}
