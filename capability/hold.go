package capability

import "time"

// A hold is one byte: how long after its tick a request may still act.
//
//	0..199      in 100 ms
//	200..255    1 to 56 minutes (hold - 199), for what waits in a mailbox
const (
	holdMinutes = 200 // the first that counts minutes

	// MaxHold is the longest hold.
	MaxHold = 56 * time.Minute
)

// EncodeHold rounds down to the next hold; 0 and less give DefaultHold.
func EncodeHold(d time.Duration) uint8 {
	switch {
	case d <= 0:
		return EncodeHold(DefaultHold)
	case d < time.Minute:
		return uint8(min(d/TickDuration, holdMinutes-1))
	}
	return uint8(holdMinutes - 1 + min(d, MaxHold)/time.Minute)
}

// HoldDuration returns the time that a hold stands for.
func HoldDuration(hold uint8) time.Duration {
	if hold < holdMinutes {
		return time.Duration(hold) * TickDuration
	}
	return time.Duration(hold-holdMinutes+1) * time.Minute
}

func holdTicks(hold uint8) uint32 { return uint32(HoldDuration(hold) / TickDuration) }
