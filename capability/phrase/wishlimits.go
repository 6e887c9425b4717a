package phrase

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/program"
)

// limits returns the limits of a wish, in the order in which they are told apart best: what ends,
// then what counts, then who.
func (w Wish) limits() ([]capability.Limit, error) {
	var limits []capability.Limit
	for _, part := range []func() ([]capability.Limit, error){w.times, w.meters, w.people} {
		more, err := part()
		if err != nil {
			return nil, err
		}
		limits = append(limits, more...)
	}
	return limits, nil
}

func (w Wish) times() ([]capability.Limit, error) {
	var limits []capability.Limit
	for _, at := range []struct {
		t    capability.ConstraintType
		time time.Time
	}{{capability.TypeNotBefore, w.From}, {capability.TypeExpiry, w.Until}} {
		if at.time.IsZero() {
			continue
		}
		unix := at.time.Unix()
		if unix < 0 || unix > math.MaxUint32 {
			return nil, fmt.Errorf("%v: %s does not fit 32 bits of seconds", at.t, at.time.Format(time.DateOnly))
		}
		limits = append(limits, capability.Limit{Type: at.t, Unix: uint32(unix)})
	}
	if w.Lease != nil {
		limits = append(limits, capability.Limit{Type: capability.TypeLease, Lease: *w.Lease})
	}
	if w.Hold != 0 {
		if w.Hold < capability.TickDuration || w.Hold > capability.MaxHold {
			return nil, fmt.Errorf("hold %v is not within %v..%dm", w.Hold, capability.TickDuration, capability.MaxHold/time.Minute)
		}
		if err := CheckHold(w.Hold); err != nil {
			return nil, err
		}
		limits = append(limits, capability.Limit{Type: capability.TypeHold, Hold: capability.EncodeHold(w.Hold)})
	}
	return limits, nil
}

func (w Wish) meters() ([]capability.Limit, error) {
	var limits []capability.Limit
	if w.Count != 0 {
		if w.Count < 1 || w.Count > math.MaxUint8 || w.Cell >= capability.MaxCells {
			return nil, fmt.Errorf("a count of %d in cell %d: it is 1 to 255, in cell 0 to %d", w.Count, w.Cell, capability.MaxCells-1)
		}
		limits = append(limits, capability.Limit{Type: capability.TypeCount, Count: capability.Count{N: uint8(w.Count), Cell: w.Cell}})
	}
	if w.Rate != "" {
		r, err := ParseRate(w.Rate)
		if err != nil {
			return nil, err
		}
		limits = append(limits, capability.Limit{Type: capability.TypeRate, Rate: r})
	}
	if w.Depth != nil {
		limits = append(limits, capability.Limit{Type: capability.TypeDepth, Depth: *w.Depth})
	}
	return limits, nil
}

func (w Wish) people() ([]capability.Limit, error) {
	var limits []capability.Limit
	if w.Audience != "" {
		peer, err := edgeistry.ParsePeerKey(w.Audience)
		if err != nil {
			return nil, err
		}
		limits = append(limits, capability.Limit{Type: capability.TypeAudience, Audience: peer})
	}
	if w.Also != "" {
		a, err := parseAlsoText(w.Also)
		if err != nil {
			return nil, err
		}
		limits = append(limits, capability.Limit{Type: capability.TypeAlso, Also: a})
	}
	if w.Guard != nil {
		if w.Guard.Type != capability.TypeThirdParty {
			return nil, errors.New("a guard is demanded by what Capability.ThirdParty makes")
		}
		limits = append(limits, *w.Guard)
	}
	if len(w.Program) > 0 {
		if err := program.Check(w.Program); err != nil {
			return nil, err
		}
		limits = append(limits, capability.Limit{Type: capability.TypeProgram, Program: w.Program})
	}
	return limits, nil
}

// ParseRate reads "3/10m": 3 at once, then one every 10 minutes. The units are s, m, h, d and w, up to 65,535 s.
func ParseRate(text string) (capability.Rate, error) {
	burst, period, found := strings.Cut(text, "/")
	n, err := strconv.ParseUint(burst, 10, 8)
	span, spanErr := wholeSeconds(period)
	if seconds := span / time.Second; found && err == nil && spanErr == nil && n >= 1 && seconds >= 1 && seconds <= math.MaxUint16 {
		return capability.Rate{Burst: uint8(n), Period: uint16(seconds)}, nil
	}
	return capability.Rate{}, fmt.Errorf("rate %.60q is not understood (like 3/10m: 3 at once, then one every 10 minutes; at most 255/18h)", text)
}

// parseAlsoText reads "4", a capability of branch 4, or "4:c0ffee01", the one with that nonce.
func parseAlsoText(text string) (capability.Also, error) {
	branch, nonce, named := strings.Cut(text, ":")
	n, err := strconv.ParseUint(branch, 10, 8)
	a := capability.Also{Branch: uint8(n), HasNonce: named}
	if b, hexErr := hex.DecodeString(nonce); err == nil && hexErr == nil && a.Check() == nil && (!named || len(b) == len(a.Nonce)) {
		copy(a.Nonce[:], b)
		return a, nil
	}
	return capability.Also{}, fmt.Errorf("capability %.60q to go together with is not understood (like 4, a branch, or 4:c0ffee01, with its nonce)", text)
}

// CheckHold reports what is wrong with a hold that the wire cannot say exactly: tenths of a second
// up to 19.9 s, then whole minutes up to 56. A hold is never rounded, because both ways are wrong:
// shorter refuses, longer allows.
func CheckHold(hold time.Duration) error {
	if hold > 0 && capability.HoldDuration(capability.EncodeHold(hold)) == hold {
		return nil
	}
	err := fmt.Errorf("hold %v is neither within 100ms and 19.9s nor within 1m and 56m", hold)
	switch {
	case hold > 0 && hold < 20*time.Second:
		return fmt.Errorf("%w, in steps of 100ms", err)
	case hold > time.Minute && hold < capability.MaxHold:
		low := hold.Truncate(time.Minute)
		return fmt.Errorf("%w, in whole minutes: %s or %s", err, FormatSpan(low), FormatSpan(low+time.Minute))
	}
	return err
}
