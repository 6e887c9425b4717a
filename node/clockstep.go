package node

import (
	"context"
	"time"
)

const (
	clockLook = 2 * time.Second // how often the wall clock is compared with the monotonic one
	// clockStep is the difference between two looks that counts as a step. A clock that is slewed by NTP moves 1 ms in 2 s.
	clockStep = 1500 * time.Millisecond
)

// watchClock calls stepped whenever the wall clock was set, until ctx ends. by is how far: positive when it was set forward.
// A machine that slept shows as set forward too, because its monotonic clock stood still.
func watchClock(ctx context.Context, wall func() time.Time, stepped func(by time.Duration)) {
	began := time.Now() // with the monotonic clock, which Since uses
	offset := func() time.Duration {
		mono := time.Since(began)
		return wall().Round(0).Sub(began.Round(0)) - mono // Round drops the monotonic clock
	}
	last := offset()
	tick := time.NewTicker(clockLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := offset()
		if by := now - last; by.Abs() >= clockStep {
			stepped(by)
		}
		last = now
	}
}

// clockStepped does what rests on the wall clock anew: the records that were published with the old time, and the time that
// devices were told. Expiries are compared with the clock at each use, so they hold at once.
func (n *Node) clockStepped(by time.Duration) {
	n.log.Warn("the clock of this machine was set; records are published and devices told the time again",
		"by", by.Round(time.Second), "now", time.Now().UTC().Format(time.RFC3339))
	n.publisher.again()
	for _, d := range n.deviceList() {
		d.clockStepped()
	}
}

// clockStepped lets the device be told the time before the next request gets to it.
func (d *device) clockStepped() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clockSet, d.clockTried = time.Time{}, time.Time{}
	select {
	case d.started <- struct{}{}:
	default:
	}
}
