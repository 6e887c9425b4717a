package dht

import (
	"bytes"

	"github.com/ipfs/go-datastore"
	kbucket "github.com/libp2p/go-libp2p-kbucket"
	"github.com/libp2p/go-libp2p/core/peer"
)

// quota decides which records of other nodes the store keeps. It counts the records of each origin:
// a node has a quota, and so has each group of addresses. When the store is full, the origin with
// the most records gives way to one with fewer, and loses the record that is farthest from this
// node's own key, which other nodes are nearer to. A flood therefore pushes out itself, and an
// honest node with few records keeps them. It is not safe for concurrent use.
type quota struct {
	self     kbucket.ID
	total    int // records of all origins
	perPeer  int
	perGroup int

	entries map[datastore.Key]*quotaEntry
	groups  map[string]*quotaGroup
}

type quotaEntry struct {
	origin origin
	far    kbucket.ID // the XOR distance from this node's key
}

// quotaGroup holds the records of one group of addresses, by node.
type quotaGroup struct {
	count int
	peers map[peer.ID]map[datastore.Key]*quotaEntry
}

func newQuota(self peer.ID, limits Limits) *quota {
	return &quota{
		self: kbucket.ConvertPeerID(self), total: limits.Records,
		perPeer: limits.RecordsPerPeer, perGroup: limits.RecordsPerAddr,
		entries: make(map[datastore.Key]*quotaEntry), groups: make(map[string]*quotaGroup),
	}
}

// admit reports whether a new record of an origin fits, and which record makes room for it (none:
// the zero key). The reason for a refusal is the error.
func (q *quota) admit(o origin) (victim datastore.Key, err error) {
	group := q.groups[o.group]
	var mine, ours int
	if group != nil {
		mine, ours = len(group.peers[o.peer]), group.count
	}
	if mine >= q.perPeer {
		return victim, errPeerQuota
	}
	if ours >= q.perGroup {
		return q.fromGroup(group, mine, errAddrQuota)
	}
	if len(q.entries) < q.total {
		return victim, nil
	}
	var most *quotaGroup
	for _, g := range q.groups {
		if most == nil || g.count > most.count {
			most = g
		}
	}
	if most == nil {
		return victim, ErrFull
	}
	if most == group {
		return q.fromGroup(group, mine, ErrFull)
	}
	if ours+1 >= most.count {
		return victim, ErrFull
	}
	return q.fromGroup(most, -1, ErrFull)
}

// hasRoom reports whether an origin may take over a record that is stored already.
func (q *quota) hasRoom(o origin) bool {
	g := q.groups[o.group]
	return g == nil || len(g.peers[o.peer]) < q.perPeer && g.count < q.perGroup
}

// fromGroup returns the farthest record of the node with the most records in a group, if a node
// that has mine records still has fewer with one more. For a node of another group mine is -1.
func (q *quota) fromGroup(g *quotaGroup, mine int, refusal error) (victim datastore.Key, err error) {
	var most map[datastore.Key]*quotaEntry
	for _, records := range g.peers {
		if len(records) > len(most) {
			most = records
		}
	}
	if mine+1 >= len(most) {
		return victim, refusal
	}
	var farthest kbucket.ID
	for key, e := range most {
		if farthest == nil || bytes.Compare(e.far, farthest) > 0 {
			victim, farthest = key, e.far
		}
	}
	return victim, nil
}

// add counts a record that was stored. A record that is counted already moves to the new origin.
func (q *quota) add(key datastore.Key, service []byte, o origin) {
	q.remove(key)
	e := &quotaEntry{origin: o, far: xor(q.self, kbucket.ConvertKey(string(service)))}
	q.entries[key] = e
	g := q.groups[o.group]
	if g == nil {
		g = &quotaGroup{peers: make(map[peer.ID]map[datastore.Key]*quotaEntry)}
		q.groups[o.group] = g
	}
	if g.peers[o.peer] == nil {
		g.peers[o.peer] = make(map[datastore.Key]*quotaEntry)
	}
	g.peers[o.peer][key] = e
	g.count++
}

// remove stops counting a record.
func (q *quota) remove(key datastore.Key) {
	e := q.entries[key]
	if e == nil {
		return
	}
	delete(q.entries, key)
	g := q.groups[e.origin.group]
	g.count--
	delete(g.peers[e.origin.peer], key)
	if len(g.peers[e.origin.peer]) == 0 {
		delete(g.peers, e.origin.peer)
	}
	if g.count == 0 {
		delete(q.groups, e.origin.group)
	}
}

func xor(a, b kbucket.ID) kbucket.ID {
	d := make(kbucket.ID, len(a))
	for i := range d {
		d[i] = a[i] ^ b[i]
	}
	return d
}
