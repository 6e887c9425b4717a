package mesh

import (
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// placeLimits bound the CoAP streams that other nodes open to this one (docs/spec/wire.md, Limits).
type placeLimits struct {
	Total    int           // streams of all peers
	Unproved int           // of these, streams of peers that proved nothing; the rest is kept for proved peers
	Peer     int           // streams of one peer
	Group    int           // streams of unproved peers of one address group
	Idle     time.Duration // how long an unproved stream may have no request under way
	Proved   int           // proved peers remembered
	LogEvery time.Duration // between two lines of the log about refused and dropped streams
}

var defaultPlaceLimits = placeLimits{
	Total: 512, Unproved: 384, Peer: 4, Group: 64, Idle: 30 * time.Second, Proved: 4096, LogEvery: time.Minute,
}

// StreamCounts is the state of the streams that other nodes opened to this one.
type StreamCounts struct {
	Open, Proved int
	// Refused and Dropped count since the start: streams that found no place, and unproved streams that were closed to make
	// room or because they were idle.
	Refused, Dropped uint64
}

// places counts the streams of other nodes. A peer is proved once a request of it was answered with a tagged success: it holds
// a capability for a service here. Strangers never take the room that is kept for proved peers. Where there is no room, the
// group of addresses with the most unproved streams gives up its oldest one.
type places struct {
	limits placeLimits
	log    *slog.Logger

	mu      sync.Mutex
	proved  *simplelru.LRU[peer.ID, struct{}]
	taken   map[*place]struct{}
	peers   map[peer.ID]int
	groups  map[string]int // unproved streams
	strange int            // unproved streams of all groups
	entered uint64         // streams that got a place so far

	refused, dropped uint64
	logged           time.Time
}

// place is the place of one stream.
type place struct {
	peer   peer.ID
	group  string
	since  uint64 // ascending with each stream
	proved bool
	busy   int // requests under way
	idle   *time.Timer
	drop   func() // ends the stream
}

func newPlaces(limits placeLimits, log *slog.Logger) *places {
	proved, err := simplelru.NewLRU[peer.ID, struct{}](limits.Proved, nil)
	if err != nil {
		panic(err) // cannot happen: the limit is positive
	}
	return &places{
		limits: limits, log: log, proved: proved,
		taken: make(map[*place]struct{}), peers: make(map[peer.ID]int), groups: make(map[string]int),
	}
}

// enter returns a place for a stream, or nil if there is none. It may end another stream by calling its drop.
func (p *places) enter(id peer.ID, remote ma.Multiaddr, drop func()) *place {
	p.mu.Lock()
	_, proved := p.proved.Get(id)
	s := &place{peer: id, group: groupOf(id, remote), proved: proved, drop: drop}
	victim, ok := p.room(s)
	if victim != nil {
		p.remove(victim)
		p.dropped++
	}
	if !ok {
		p.refused++
	}
	log := p.report(victim != nil || !ok)
	if ok {
		p.add(s)
	}
	p.mu.Unlock()
	log()
	if victim != nil {
		victim.drop()
	}
	if !ok {
		return nil
	}
	return s
}

// room reports whether s may have a place, and which stream must go for it. The caller holds mu.
func (p *places) room(s *place) (victim *place, ok bool) {
	if p.peers[s.peer] >= p.limits.Peer {
		return nil, false
	}
	switch {
	case !s.proved && p.groups[s.group] >= p.limits.Group:
		victim = p.oldest(s.group)
	case !s.proved && p.strange >= p.limits.Unproved, len(p.taken) >= p.limits.Total:
		victim = p.oldest("")
	default:
		return nil, true
	}
	return victim, victim != nil
}

// oldest returns the oldest unproved stream of a group; "" is the group that has the most. The caller holds mu.
func (p *places) oldest(group string) *place {
	var found *place
	for s := range p.taken {
		switch {
		case s.proved || group != "" && s.group != group:
		case found == nil, p.groups[s.group] > p.groups[found.group] && group == "",
			p.groups[s.group] == p.groups[found.group] && s.since < found.since:
			found = s
		}
	}
	return found
}

// add takes the place. The caller holds mu.
func (p *places) add(s *place) {
	p.entered++
	s.since = p.entered
	p.taken[s] = struct{}{}
	p.peers[s.peer]++
	if !s.proved {
		p.groups[s.group]++
		p.strange++
		s.idle = time.AfterFunc(p.limits.Idle, func() { p.expire(s) })
	}
}

// remove frees the place. The caller holds mu.
func (p *places) remove(s *place) {
	if _, ok := p.taken[s]; !ok {
		return
	}
	delete(p.taken, s)
	if p.peers[s.peer]--; p.peers[s.peer] == 0 {
		delete(p.peers, s.peer)
	}
	p.forget(s)
}

// forget takes an unproved stream out of the counts of strangers. The caller holds mu.
func (p *places) forget(s *place) {
	if s.proved {
		return
	}
	s.idle.Stop()
	p.strange--
	if p.groups[s.group]--; p.groups[s.group] == 0 {
		delete(p.groups, s.group)
	}
}

// leave frees the place of a stream that has ended. It may be called after the stream was dropped.
func (p *places) leave(s *place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remove(s)
}

// expire ends a stream that was idle too long.
func (p *places) expire(s *place) {
	p.mu.Lock()
	_, open := p.taken[s]
	if !open || s.proved || s.busy > 0 {
		p.mu.Unlock()
		return
	}
	p.remove(s)
	p.dropped++
	p.mu.Unlock()
	s.drop()
}

// begin counts a request under way on a stream, and end its end.
func (p *places) begin(s *place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.busy++
	if s.idle != nil {
		s.idle.Stop()
	}
}

// end counts the end of a request. proof reports whether its answer proves the peer.
func (p *places) end(s *place, proof bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.busy--
	_, open := p.taken[s]
	switch {
	case proof:
		p.prove(s.peer)
	case open && !s.proved && s.busy == 0:
		s.idle.Reset(p.limits.Idle)
	}
}

// prove notes that a peer holds a capability: its streams are strangers' no more. The caller holds mu.
func (p *places) prove(id peer.ID) {
	_, known := p.proved.Get(id)
	if known {
		return
	}
	p.proved.Add(id, struct{}{})
	for s := range p.taken {
		if s.peer == id && !s.proved {
			p.forget(s)
			s.proved = true
		}
	}
}

// report returns what writes to the log that streams were refused or dropped, at most once in LogEvery. The caller holds mu,
// and calls the result without it.
func (p *places) report(full bool) func() {
	now := time.Now()
	if !full || now.Sub(p.logged) < p.limits.LogEvery {
		return func() {}
	}
	p.logged = now
	open, refused, dropped := len(p.taken), p.refused, p.dropped
	return func() {
		p.log.Warn("too many streams of other nodes: some were refused, or dropped for new ones",
			"open", open, "refused", refused, "dropped", dropped)
	}
}

func (p *places) counts() StreamCounts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return StreamCounts{Open: len(p.taken), Proved: len(p.taken) - p.strange, Refused: p.refused, Dropped: p.dropped}
}

// groupOf returns the group of addresses that shares a limit: a host in IPv4, a site in IPv6 (56 bits). All nodes behind one
// relay are one group, because their own addresses are not known. Each node on this machine is a group of its own.
func groupOf(id peer.ID, remote ma.Multiaddr) string {
	if remote == nil {
		return ""
	}
	if _, err := remote.ValueForProtocol(ma.P_CIRCUIT); err == nil {
		way, _ := ma.SplitFunc(remote, func(c ma.Component) bool { return c.Protocol().Code == ma.P_CIRCUIT })
		if relay, err := way.ValueForProtocol(ma.P_P2P); err == nil {
			return "relay " + relay
		}
		return "relay " + way.String()
	}
	ip, err := manet.ToIP(remote)
	if err != nil {
		return remote.String()
	}
	a, ok := netip.AddrFromSlice(ip)
	if a = a.Unmap(); !ok || a.Is4() && !a.IsLoopback() {
		return a.String()
	}
	if a.IsLoopback() {
		return "node " + id.String()
	}
	site, err := a.Prefix(56)
	if err != nil {
		return a.String()
	}
	return site.String()
}
