package main

import (
	"math"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
)

// wishFlags are the flags of mint and attenuate that say what is allowed.
type wishFlags struct {
	read, call, appendTo []string
	tail                 bool
	setTime              bool
	arg, entries         string
	until, from          string
	lease, hold          time.Duration
	boot, tick           int64
	save                 string
	qr                   bool
}

func (w *wishFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&w.read, "read", nil, "allow reading this `LOG` (temp* for a prefix, * for all); may be repeated")
	flags.BoolVar(&w.tail, "tail", false, "allow following the logs of --read as well")
	flags.StringArrayVar(&w.call, "call", nil, "allow calling this `FUNCTION`; may be repeated")
	flags.StringArrayVar(&w.appendTo, "append", nil, "allow appending to this `LOG`; may be repeated")
	flags.BoolVar(&w.setTime, "set-time", false, "allow telling the device the time (what its home node needs)")
	flags.StringVar(&w.arg, "arg", "", "`BOUNDS` for the argument of --call: 0..30, u16:0..300, i16le:-5..5@2 (at byte 2)")
	flags.StringVar(&w.entries, "entries", "", "`BOUNDS` for the entries of --read, by sequence: 1..100")
	flags.StringVar(&w.until, "until", "", "end at this `TIME`: friday, 2026-11-27, 2026-11-27T18:00, 2h (UTC; a day means its end)")
	flags.StringVar(&w.from, "from", "", "begin at this `TIME`, in the same forms (a day means its beginning)")
	flags.DurationVar(&w.lease, "lease", 0, "end by the device's own timer, after this time and at its next reboot")
	flags.Int64Var(&w.boot, "boot", 0, "for --lease without a node: the device's boot `COUNT`")
	flags.Int64Var(&w.tick, "tick", 0, "for --lease without a node: the device's `TICK` now, in 100 ms since its boot")
	flags.DurationVar(&w.hold, "hold", 0, "how long a request may be under way before the device refuses it, at most 25.5s")
	flags.StringVar(&w.save, "save", "", "keep it in the keychain under this `NAME` (greenhouse/anna) instead of printing it")
	flags.BoolVar(&w.qr, "qr", false, "draw the token as a QR code too")
}

const leaseHelp = `--lease 5s ends by the device's own timer, so it holds on a device that has never been told the time. The timer is the
device's: boot count and tick (100 ms units). With the node running they are asked from the device in one exchange that
needs no permission; with no node give them as --boot and --tick, as "service show" last printed them.`

// wish turns the flags into what the capability package encodes.
func (c *cli) wish(cmd *cobra.Command, w *wishFlags, service edgeistry.ServiceID) (capability.Wish, error) {
	wish := capability.Wish{
		Read: w.read, Call: w.call, Append: w.appendTo, Time: w.setTime,
		Arg: w.arg, Entries: w.entries, Hold: w.hold,
	}
	if w.tail {
		if len(w.read) == 0 {
			return wish, usagef("--tail needs --read: it allows following the logs that --read names")
		}
		wish.Tail, wish.Read = w.read, nil // following includes reading
	}
	if w.arg != "" && len(w.call) == 0 {
		return wish, usagef("--arg needs --call: it bounds the argument of a call")
	}
	if w.entries != "" && len(w.read) == 0 {
		return wish, usagef("--entries needs --read: it bounds what may be read")
	}
	if cmd.Flags().Changed("hold") && (w.hold < 100*time.Millisecond || w.hold > 25500*time.Millisecond) {
		return wish, usagef("--hold %s is not within 100ms and 25.5s", w.hold)
	}
	var err error
	if w.until != "" {
		if wish.Until, err = capability.ParseUntil(w.until, c.now()); err != nil {
			return wish, usagef("--until: %w", err)
		}
	}
	if w.from != "" {
		if wish.From, err = parseFrom(w.from, c.now()); err != nil {
			return wish, usagef("--from: %w", err)
		}
		if !wish.Until.IsZero() && !wish.From.Before(wish.Until) {
			return wish, usagef("--from %s is not before --until %s", stamp(wish.From), stamp(wish.Until))
		}
	}
	if cmd.Flags().Changed("lease") {
		if wish.Lease, err = c.lease(cmd, w, service); err != nil {
			return wish, err
		}
	} else if cmd.Flags().Changed("boot") || cmd.Flags().Changed("tick") {
		return wish, usagef("--boot and --tick are for --lease")
	}
	return wish, nil
}

// parseFrom reads a beginning: a day means its first second, everything else is as for --until.
func parseFrom(text string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, nil
	}
	t, err := capability.ParseUntil(text, now)
	if err == nil && t.Hour() == 23 && t.Minute() == 59 && t.Second() == 59 {
		t = t.Add(time.Second - 24*time.Hour)
	}
	return t, err
}

// lease makes the end of a lease from the device's timer, given or asked through the node.
func (c *cli) lease(cmd *cobra.Command, w *wishFlags, service edgeistry.ServiceID) (*capability.Lease, error) {
	if w.lease < 100*time.Millisecond || w.lease > 365*24*time.Hour {
		return nil, usagef("--lease %s is not within 100ms and one year", w.lease)
	}
	given := cmd.Flags().Changed("boot")
	if given != cmd.Flags().Changed("tick") {
		return nil, usagef("--boot and --tick belong together")
	}
	var boot, tick uint32
	if given {
		var err error
		if boot, err = clampU32("boot", w.boot); err != nil {
			return nil, err
		}
		if tick, err = clampU32("tick", w.tick); err != nil {
			return nil, err
		}
	} else {
		timer, err := c.deviceTimer(cmd.Context(), service)
		if err != nil {
			code := exitCode(err)
			return nil, fail(code, "--lease needs the timer of the device: %w", err).
				Try("edgeistry run, or --boot and --tick as \"edgeistry service show\" printed them")
		}
		boot, tick = timer.boot, timer.tick
	}
	end := int64(tick) + int64(w.lease/(100*time.Millisecond))
	if end > math.MaxUint32 {
		return nil, usagef("--lease %s is beyond what the device's timer counts", w.lease)
	}
	return &capability.Lease{Boot: boot, Tick: uint32(end)}, nil
}
