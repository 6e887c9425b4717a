// Package retry says how long to wait before something that failed is tried again.
package retry

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff doubles a pause with each failure in a row.
type Backoff struct {
	First  time.Duration // after the first failure
	Last   time.Duration // the longest
	Spread int           // up to one part in Spread is taken off by chance, so that many do not try in step; 0: nothing
}

// After returns the pause after a number of failures in a row.
func (b Backoff) After(failures int) time.Duration {
	pause := b.First
	for i := 1; i < failures && pause < b.Last; i++ {
		pause *= 2
	}
	pause = min(pause, b.Last)
	if b.Spread > 0 {
		pause -= time.Duration(rand.Int64N(int64(pause)/int64(b.Spread) + 1))
	}
	return pause
}

// Wait returns true when the time has passed, or false as soon as ctx has ended.
func Wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
