package capability

import (
	"encoding/binary"
	"fmt"
	"time"
)

// tickSeconds is how many ticks a second has.
const tickSeconds = 10

// Rate is at most Burst requests at once, then one each Period.
type Rate struct {
	Burst  uint8  // from 1
	Period uint16 // seconds, from 1
}

// parseRate reads burst u8 | period u16.
func parseRate(v []byte) (Rate, error) {
	if len(v) != 3 {
		return Rate{}, errConstraint
	}
	r := Rate{v[0], binary.BigEndian.Uint16(v[1:])}
	return r, r.check()
}

func (r Rate) check() error {
	if r.Burst == 0 || r.Period == 0 {
		return fmt.Errorf("a rate of %d, then one every %d s: %w", r.Burst, r.Period, errConstraint)
	}
	return nil
}

func (r Rate) describe() string {
	every := spanText(time.Duration(r.Period) * time.Second)
	if r.Burst == 1 {
		return "at most one every " + every
	}
	return fmt.Sprintf("at most %d at once, then one every %s", r.Burst, every)
}

const (
	defaultBuckets = 4
	maxBuckets     = 255
)

// bucket holds the tokens of one identity: each request takes one, each period gives one. It starts empty. While it is
// full its period begins anew, so no burst is larger than the rate says.
type bucket struct {
	id     Identity
	inUse  bool
	tokens uint8
	since  uint32 // tick at which the period began
	used   uint64 // when it was last found, made, or gave a token, in order of events
}

// fill returns the tokens that have come since the last look.
func (b *bucket) fill(r Rate, now uint32) {
	period := uint32(r.Period) * tickSeconds
	gained := elapsed(b.since, now) / period
	if gained >= uint32(r.Burst-min(b.tokens, r.Burst)) {
		b.tokens, b.since = r.Burst, b.since+elapsed(b.since, now)
		return
	}
	b.tokens += uint8(gained)
	b.since += gained * period
}

// buckets are those of one verifier.
type buckets struct {
	list   []bucket
	events uint64
}

func (b *buckets) touch(i uint8) {
	b.events++
	b.list[i].used = b.events
}

// find returns the bucket of an identity, or makes it in the place of one that nobody uses: a free
// one, else the least recently used. False: every bucket is in use.
func (b *buckets) find(id Identity, now uint32, used func(bucket uint8) bool) (uint8, bool) {
	best := -1
	for i := range b.list {
		at := &b.list[i]
		if at.inUse && at.id == id {
			b.touch(uint8(i))
			return uint8(i), true
		}
		if (best < 0 || at.used < b.list[best].used) && !used(uint8(i)) {
			best = i
		}
	}
	if best < 0 {
		return 0, false
	}
	b.list[best] = bucket{id: id, inUse: true, since: now}
	b.touch(uint8(best))
	return uint8(best), true
}
