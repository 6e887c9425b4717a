package capability

import (
	"math"
	"time"
)

// TickDuration is the unit of ticks and holds.
const TickDuration = 100 * time.Millisecond

// tickClock estimates a verifier's tick from the ticks that it has told, and must never be ahead of it: a tick
// in the verifier's future cannot be reconstructed, and its tag would not verify.
type tickClock struct {
	tick  uint32    // the newest tick told
	at    time.Time // when it arrived: the verifier is there or beyond
	first time.Time // when the first one arrived
	zero  uint32    // and which it was
}

func newTickClock(tick uint32, now time.Time) tickClock {
	return tickClock{tick: tick, at: now, first: now, zero: tick}
}

// learn takes a tick that was told with a valid tag.
func (c *tickClock) learn(tick uint32, now time.Time) {
	if tick-c.tick <= math.MaxInt32 { // modulo 2^32, as the verifier counts
		c.tick, c.at = tick, now
	}
}

// estimate returns a tick that the verifier has certainly passed. Up to half the hold after the
// newest one that is it: the other half is left for the way. Later it adds seven eighths of the
// time elapsed, and less if the verifier has been seen to run slower than that.
func (c *tickClock) estimate(now time.Time, hold time.Duration) uint32 {
	elapsed := now.Sub(c.at)
	if elapsed < hold/2 {
		return c.tick
	}
	ticks := int64(elapsed/TickDuration) * 7 / 8
	if seen := int64(c.at.Sub(c.first) / TickDuration); seen >= 10 {
		if ran := int64(c.tick - c.zero); ran < seen {
			ticks = ticks * ran / seen
		}
	}
	if left := int64(^uint32(0) - c.tick); ticks > left {
		ticks = left
	}
	return c.tick + uint32(ticks)
}
