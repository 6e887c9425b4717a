package dht

import (
	"time"

	"github.com/edgeistry/edgeistry"
)

// Status is the state of a Registry.
type Status struct {
	Mesh      string
	Peers     int    // connected members
	Table     int    // peers in the routing table
	Records   int    // records stored for other nodes and this one
	Refused   uint64 // records of other nodes refused since the start, because of quotas
	Evicted   uint64 // records of other nodes that gave way to records of nodes with fewer
	Seeds     []SeedState
	MDNS      bool // multicast DNS runs
	Published []PublishedState
}

// PublishedState is what is known of an own record.
type PublishedState struct {
	Service  edgeistry.ServiceID
	Sequence uint64
	Expiry   time.Time
	Acks     int // connected nodes that said that they stored it
}

// Status returns the present state.
func (r *Registry) Status() Status {
	s := Status{
		Mesh:    r.mesh,
		Peers:   len(r.Peers()),
		Table:   r.kad.RoutingTable().Size(),
		Records: r.store.len(),
		Refused: r.store.stats.refused.Load(),
		Evicted: r.store.stats.evicted.Load(),
		Seeds:   r.dialer.seeds(),
		MDNS:    r.mdns != nil,
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, o := range r.own {
		s.Published = append(s.Published, PublishedState{
			Service: id, Sequence: o.record.Sequence, Expiry: o.record.Expiry, Acks: len(o.holders),
		})
	}
	return s
}
