package proxy

import (
	"cmp"
	"slices"
	"time"

	"github.com/edgeistry/edgeistry"
)

// DeviceState is what the proxy knows of one device.
type DeviceState struct {
	ID      edgeistry.ServiceID
	Waiting int       // requests in its queue
	Seen    time.Time // when it answered last; zero: not since it was added
}

// Devices returns the state of all devices, in the order of their IDs.
func (p *Proxy) Devices() []DeviceState {
	p.mu.Lock()
	defer p.mu.Unlock()
	var devices []DeviceState
	for _, s := range p.services {
		if d := s.device; d != nil {
			d.mu.Lock()
			devices = append(devices, DeviceState{ID: d.id, Waiting: d.turns.length(), Seen: d.seen})
			d.mu.Unlock()
		}
	}
	slices.SortFunc(devices, func(a, b DeviceState) int { return cmp.Compare(a.ID.String(), b.ID.String()) })
	return devices
}
