package main

import (
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/phrase"
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
	times, cell, depth   int
	rate, audience       string
	also, guard, program string
	save                 string
	qr                   qrFlags

	warning string // about what is made
}

// register makes the flags of mint and attenuate.
func (w *wishFlags) register(cmd *cobra.Command) {
	w.registerWish(cmd)
	flags := cmd.Flags()
	flags.IntVar(&w.times, "times", 0, "allow this `NUMBER` of requests, 1..255, counted in --cell; then \"cap reserve\" gives it the cell")
	flags.IntVar(&w.cell, "cell", 0, "the device's `CELL` for --times, 0..3, which survives power loss")
	flags.StringVar(&w.rate, "rate", "", "at most this `RATE`: 3/10m is 3 at once, then one every 10 minutes")
	flags.StringVar(&w.guard, "guard", "", "demand the word of a guard: a `CAPABILITY` of the guard's service, which the guard has too (see cap discharge)")
	flags.StringVar(&w.save, "save", "", "keep it in the keychain under this `NAME` (greenhouse/anna) instead of printing it")
	w.qr.register(cmd)
}

// registerWish makes the flags that are good for a discharge, too.
func (w *wishFlags) registerWish(cmd *cobra.Command) {
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
	spanVar(cmd, &w.lease, "lease", 0, "end by the device's own timer, after this time and at its next reboot")
	flags.Int64Var(&w.boot, "boot", 0, "for --lease without a node: the device's boot `COUNT`")
	flags.Int64Var(&w.tick, "tick", 0, "for --lease without a node: the device's `TICK` now, in 100 ms since its boot")
	spanVar(cmd, &w.hold, "hold", 0, "how long a request may be under way before the device refuses it, at most 56m")
	flags.StringVar(&w.audience, "audience", "", "only from this `PEER` (12D3KooW...); devices cannot know who asks, nodes can")
	flags.IntVar(&w.depth, "depth", 0, "allow this `NUMBER` of further narrowings, 0..3; 0: it cannot be passed on narrower")
	flags.StringVar(&w.program, "program", "", "ask a program: a `FILE`.wasm of one function, or its body in hexadecimal")
	flags.StringVar(&w.also, "also", "", "only together with another capability, of this `BRANCH`, or BRANCH:NONCE")
}

// wishHelp is said wherever a wish may be given in words.
const wishHelp = `WISH says in words what stays allowed, for the common cases: read, follow, call or append with names joined by "and" or commas, then
bounds (0..30), then until TIME, from TIME, for SPAN or N times. A word that is not understood is an error. A name that the service
does not have, or that is like one of these words, needs quotes: '"till"'. The flags say the rest; for one thing give either.`

// limitsHelp is said wherever limits beyond names and times may be given.
const limitsHelp = `--times N counts in one of four cells of the device, which survive power loss; the owner gives it the cell with "cap reserve".
--rate 3/10m allows 3 at once, then one every 10 minutes, and begins with none: the first request waits for the first period.
--guard demands the word of a guard, made with "cap discharge" and given with --discharge. --audience names the one peer that
may ask: nodes hold it, devices cannot know and deny. --also demands another capability beside this one. --program asks a
WebAssembly function of at most 46 bytes.`

const leaseHelp = `--lease 5s ends by the device's own timer, so it holds on a device that has never been told the time. The timer is the
device's: boot count and tick (100 ms units). With the node running they are asked from the device in one exchange that
needs no permission; with no node give them as --boot and --tick, as "service show" last printed them.`

// inWords are the flags that words may stand for.
var inWords = []string{"read", "tail", "call", "append", "arg", "entries", "until", "from"}

// wish turns words and flags into what the capability package encodes.
func (c *cli) wish(cmd *cobra.Command, words []string, w *wishFlags, service edgeistry.ServiceID) (phrase.Wish, error) {
	wish := phrase.Wish{
		Read: w.read, Call: w.call, Append: w.appendTo, Time: w.setTime,
		Arg: w.arg, Entries: w.entries, Hold: w.hold,
	}
	if len(words) > 0 {
		for _, name := range inWords {
			if cmd.Flags().Changed(name) {
				return wish, usagef("--%s and words exclude each other: say all of it in words, or all of it in flags", name)
			}
		}
		known := c.vocabulary(service)
		said, err := phrase.Parse(strings.Join(words, " "), c.now(), known)
		if err != nil {
			return wish, usagef("%w", err)
		}
		if known == nil && len(said.Read)+len(said.Tail)+len(said.Call)+len(said.Append) > 0 {
			c.note("what this service has is not known here; taken as: %s", said.Text(c.now()))
		}
		said.Time, said.Hold = w.setTime, w.hold
		wish = said
	}
	if err := c.wishLimits(cmd, w, &wish); err != nil {
		return wish, err
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
	if cmd.Flags().Changed("hold") {
		if err := checkHold(w.hold); err != nil {
			return wish, err
		}
	}
	var err error
	if w.until != "" {
		if wish.Until, err = phrase.ParseUntil(w.until, c.now()); err != nil {
			return wish, usagef("--until: %w", err)
		}
	}
	if w.from != "" {
		if wish.From, err = phrase.ParseFrom(w.from, c.now()); err != nil {
			return wish, usagef("--from: %w", err)
		}
	}
	if !wish.From.IsZero() && !wish.Until.IsZero() && !wish.From.Before(wish.Until) {
		return wish, usagef("its beginning, %s, is not before its end, %s", stamp(wish.From), stamp(wish.Until))
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

// checkHold refuses what a request cannot say.
func checkHold(hold time.Duration) error {
	if err := phrase.CheckHold(hold); err != nil {
		return usagef("--%w", err)
	}
	return nil
}

// vocabulary returns what a service has, if this home knows: its devices' manifests stand in their files. It is nil where
// nothing is known.
func (c *cli) vocabulary(service edgeistry.ServiceID) *phrase.Vocabulary {
	h, err := c.openHome()
	if err != nil {
		return nil // the command works without
	}
	devices, err := h.Devices.All()
	if err != nil {
		return nil
	}
	for _, d := range devices {
		if d.Service != service || len(d.Manifest.Logs)+len(d.Manifest.Functions) == 0 {
			continue
		}
		known := &phrase.Vocabulary{Service: nameOr(h.Names.Of(service), service.String())}
		for _, l := range d.Manifest.Logs {
			known.Logs = append(known.Logs, l.Name)
		}
		for _, f := range d.Manifest.Functions {
			known.Functions = append(known.Functions, f.Name)
		}
		return known
	}
	return nil
}

func nameOr(name, otherwise string) string {
	if name == "" {
		return otherwise
	}
	return name
}

// lease makes the end of a lease from the device's timer, given or asked through the node.
func (c *cli) lease(cmd *cobra.Command, w *wishFlags, service edgeistry.ServiceID) (*capability.Lease, error) {
	if w.lease < 100*time.Millisecond || w.lease > 365*24*time.Hour {
		return nil, usagef("--lease %s is not within 100ms and one year", w.lease)
	}
	if w.lease%capability.TickDuration != 0 {
		return nil, usagef("--lease %s is too fine: the device's timer counts in steps of 100ms", w.lease)
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
