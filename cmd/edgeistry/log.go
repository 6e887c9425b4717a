package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
)

func (c *cli) logCommand() *cobra.Command {
	return noun("log", "Append to logs, read and follow them",
		`A log is a named, append-only sequence of entries in a service. LOG alone is a log of this node; SERVICE/LOG is one of another
service. What is acknowledged is on disk.`,
		`  edgeistry log append readings 21
  edgeistry log read greenhouse/temperature --last 3
  edgeistry log tail greenhouse/temperature`,
		c.logAppendCommand(), c.logReadCommand(), c.logTailCommand(), c.logAcceptForkCommand())
}

func (c *cli) logAcceptForkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "accept-fork SERVICE/LOG",
		Short: "Follow a log anew whose home has another history than the copy here",
		Long: `A home that was restored from an older backup gives numbers to new entries that this node holds other entries for. The copy stops there,
and "fn ls" and "doctor" say that it forks. Accept-fork keeps the copy in a file of the state directory, and copies the log anew. Functions on the
log go on with what comes then. Ask the owner of the home first: a fork can also be an attempt to rewrite history.`,
		Example: "  edgeistry log accept-fork greenhouse/temperature",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := parseTarget(args[0], true)
			if err != nil {
				return err
			}
			return c.ask(cmd.Context(), "accepting the fork of "+at.String(), func(ctx context.Context, _ *state.State, client *api.Client) error {
				result, err := client.AcceptFork(ctx, api.ForkRequest{Service: at.service, Log: at.name})
				if err != nil {
					return err
				}
				return c.show(result, func() {
					c.printf("%s is copied anew; %s of the copy so far kept in %s\n", at, one(result.Entries, "entry", "entries"), result.Kept)
				})
			})
		},
	}
}

func (c *cli) logAppendCommand() *cobra.Command {
	var payload payloadFlags
	var proof proofFlags
	var as, producer string
	var producerSeq uint64
	var expect int64
	cmd := &cobra.Command{
		Use:   "append LOG|SERVICE/LOG [TEXT]",
		Short: "Append an entry to a log",
		Long: `Append prints where the entry stands, once it is on disk. The entry is TEXT as it is; with --as it is a number of that form;
--hex, --text and --file give other bytes.

--producer and --producer-seq make a retry safe: the same pair is stored once and acknowledged again. --expect appends only if the
log's newest entry has that sequence.

` + capFlagHelp,
		Example: `  edgeistry log append readings 215 --as u16
  edgeistry log append events "door open"
  edgeistry log append events --hex 01ff --producer gate --producer-seq 17`,
		Args:              cobra.RangeArgs(1, 2),
		Annotations:       map[string]string{emptyArguments: "TEXT"},
		ValidArgsFunction: first(c.completeLogs),
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := parseTarget(args[0], false)
			if err != nil {
				return err
			}
			req := api.AppendRequest{Service: at.service, Log: at.name, Producer: producer, ProducerSeq: producerSeq, TimeoutMS: c.timeoutMS()}
			isSet := cmd.Flags().Changed
			if isSet("producer") != isSet("producer-seq") {
				return usagef("--producer and --producer-seq belong together")
			}
			if isSet("expect") {
				sequence, err := clampU32("expect", expect)
				if err != nil {
					return err
				}
				req.Expect = &sequence
			}
			if err := proof.readsInput(payload.file); err != nil {
				return err
			}
			if req.Payload, err = entryBytes(args[1:], payload, as, isSet, c); err != nil {
				return err
			}
			if req.Capability, req.Proof, err = c.proof(&proof); err != nil {
				return err
			}
			return c.ask(cmd.Context(), "appending to "+at.String(), func(ctx context.Context, _ *state.State, client *api.Client) error {
				receipt, err := client.Append(ctx, req)
				if err != nil {
					return err
				}
				return c.show(receipt, func() {
					c.printf("appended %s entry %s\n", at, place(receipt.Incarnation, receipt.Sequence))
				})
			})
		},
	}
	payload.register(cmd)
	cmd.Flags().StringVar(&as, "as", "", "encode TEXT as a number of this `KIND`: u8, u16, u32, i8, i16, i32 (u16le: little-endian)")
	proof.register(cmd)
	cmd.Flags().StringVar(&producer, "producer", "", "`NAME` of who appends, for retries that never duplicate")
	cmd.Flags().Uint64Var(&producerSeq, "producer-seq", 0, "the producer's own `COUNT` of this entry")
	cmd.Flags().Int64Var(&expect, "expect", 0, "append only if the newest entry has this `SEQUENCE`")
	return cmd
}

// entryBytes returns what to append: TEXT, or one of the payload flags.
func entryBytes(text []string, payload payloadFlags, as string, isSet func(string) bool, c *cli) ([]byte, error) {
	if payload.chosen(isSet)+len(text) != 1 {
		return nil, usagef("give one of TEXT, --hex, --text, --file")
	}
	if len(text) == 0 {
		if as != "" {
			return nil, usagef("--as says how TEXT is encoded, and there is none")
		}
		raw, _, err := payload.bytes(isSet, c.stdin)
		return raw, err
	}
	if as == "" {
		return []byte(text[0]), nil
	}
	spec, err := parseField(as)
	if err != nil {
		return nil, usagef("--as: %w", err)
	}
	raw, err := spec.encode(text[0])
	if err != nil {
		return nil, usagef("%w", err)
	}
	return raw, nil
}

// readFlags say which entries are wanted.
type readFlags struct {
	from, incarnation int64
	count, last       int
	proof             proofFlags
	mirror, direct    bool
	check             bool // of read
}

func (f *readFlags) register(cmd *cobra.Command) {
	cmd.Flags().Int64Var(&f.from, "from", 0, "first entry, by `SEQUENCE`")
	cmd.Flags().Int64Var(&f.incarnation, "incarnation", 0, "of this `INCARNATION` (a device's boot count; default: the newest)")
	cmd.Flags().BoolVar(&f.mirror, "mirror", false, "ask the home node for what it keeps, not the service itself")
	cmd.Flags().BoolVar(&f.direct, "direct", false, "ask the device and nobody else")
	f.proof.register(cmd)
}

// request checks the flags and makes the request.
func (c *cli) readRequest(at target, f readFlags) (api.ReadRequest, error) {
	req := api.ReadRequest{Service: at.service, Log: at.name, Count: f.count, Last: f.last, Mirror: f.mirror, Direct: f.direct, TimeoutMS: c.timeoutMS()}
	if f.direct && f.mirror {
		return req, usagef("--direct excludes --mirror")
	}
	var err error
	if req.From, err = clampU32("from", f.from); err != nil {
		return req, err
	}
	if req.Incarnation, err = clampU32("incarnation", f.incarnation); err != nil {
		return req, err
	}
	if req.Incarnation > 0 && req.From == 0 && f.last == 0 {
		return req, usagef("--incarnation needs --from or --last")
	}
	if err := f.proof.readsInput(""); err != nil {
		return req, err
	}
	req.Capability, req.Proof, err = c.proof(&f.proof)
	return req, err
}

// maxRead bounds what one read may ask for, in entries.
const maxRead = 10_000

func (c *cli) logReadCommand() *cobra.Command {
	var f readFlags
	cmd := &cobra.Command{
		Use:   "read LOG|SERVICE/LOG",
		Short: "Read entries of a log",
		Long: `Read prints the newest entries, or those of --from and --count. An entry of 1, 2 or 4 bytes is shown as bytes and as a number.
Entries that were lost before anyone kept them show as a gap. With --json a payload is base64, and beside it stands "number" where
the manifest says the entry's size, or "text".

Where the device is away (asleep, or its line is down) and the capability has a mirror half, the copy at its home node is read instead, and the
last line says so. --direct never does that; --mirror asks the copy at once. A home node can hold entries back and can make them up;
with --check the device proves what the copy gave, by the hash that its own next entry stands on.

` + capFlagHelp,
		Example: `  edgeistry log read greenhouse/temperature --last 3
  edgeistry log read k51.../temperature --from 100 --count 20 --cap ecap1_AQ...
  edgeistry log read readings --json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(c.completeLogs),
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := parseTarget(args[0], false)
			if err != nil {
				return err
			}
			isSet := cmd.Flags().Changed
			switch {
			case isSet("last") && (isSet("from") || isSet("count")):
				return usagef("--last excludes --from and --count")
			case isSet("last") && (f.last < 1 || f.last > maxRead):
				return usagef("--last %d is not within 1..%d", f.last, maxRead)
			case isSet("count") && (f.count < 1 || f.count > maxRead):
				return usagef("--count %d is not within 1..%d", f.count, maxRead)
			case isSet("count") && !isSet("from"):
				return usagef("--count needs --from (or give --last)")
			case f.direct && f.check:
				return usagef("--direct excludes --check")
			case isSet("from") && f.from < 1:
				return usagef("--from %d: entries count from 1", f.from)
			}
			req, err := c.readRequest(at, f)
			if err != nil {
				return err
			}
			req.Check = f.check
			return c.ask(cmd.Context(), "reading "+at.String(), func(ctx context.Context, _ *state.State, client *api.Client) error {
				result, err := client.Read(ctx, req)
				if err != nil {
					return err
				}
				if !c.json {
					c.showEntries(at, result)
					return nil
				}
				shown := readShown{result, make([]entryShown, len(result.Entries))}
				decode := c.decoder(at)
				for i, e := range result.Entries {
					shown.Entries[i] = entryShown{e, decode(e.Payload)}
				}
				return c.show(shown, nil)
			})
		},
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&f.check, "check", false, "ask the home node's copy, and have the device prove it by its hash")
	cmd.Flags().IntVar(&f.last, "last", 0, "this `NUMBER` of the newest entries (default 10)")
	cmd.Flags().IntVar(&f.count, "count", 0, "this `NUMBER` of entries from --from")
	return cmd
}

func (c *cli) showEntries(at target, r *api.ReadResult) {
	var before *api.Entry
	for i := range r.Entries {
		c.printEntry(&r.Entries[i], before)
		before = &r.Entries[i]
	}
	if len(r.Entries) == 0 {
		c.note("%s", noEntries(at, r.Head))
	}
	if r.Head.Sequence > 0 {
		c.note("head %s, %s", place(r.Head.Incarnation, r.Head.Sequence), c.fromCopy(r.By, r.Copy))
	} else {
		c.note("%s", c.fromCopy(r.By, r.Copy))
	}
}

// noEntries returns why a read found nothing.
func noEntries(at target, head api.Head) string {
	if head.Sequence == 0 {
		return at.String() + " is empty: nothing was appended to it yet"
	}
	return fmt.Sprintf("no such entries in %s: it holds %d..%d of incarnation %d", at, max(head.Oldest, 1), head.Sequence, head.Incarnation)
}

// fromCopy says where entries came from: "from the copy at 12D3KooW..., 3 min old; the device is away (...)".
func (c *cli) fromCopy(by string, kept *api.Copy) string {
	if kept == nil {
		return from(by)
	}
	text := "from the copy at " + kept.Home
	if !kept.AsOf.IsZero() {
		text += ", " + span(max(c.now().Sub(kept.AsOf), 0)) + " old"
	}
	if kept.Checked {
		text += "; the device has proved it"
	}
	if kept.Away != "" {
		text += "; the device is away (" + kept.Away + ")"
	}
	return text
}

// printEntry prints one entry, and the gap before it if entries are missing there.
func (c *cli) printEntry(e, before *api.Entry) {
	if text := gap(e, before); text != "" {
		c.printf("        -- %s --\n", text)
	}
	stored := "-"
	if !e.Stored.IsZero() {
		stored = e.Stored.UTC().Format("2006-01-02 15:04:05")
	}
	c.printf("%-7s %-19s   %s\n", place(e.Incarnation, e.Sequence), stored, readable(e.Payload))
}

// gap returns what is missing between two printed entries; "" if nothing is.
func gap(e, before *api.Entry) string {
	follows := before != nil && before.Incarnation == e.Incarnation
	switch {
	case follows && e.Sequence > before.Sequence+2:
		return fmt.Sprintf("gap: entries %d..%d are lost", before.Sequence+1, e.Sequence-1)
	case follows && e.Sequence == before.Sequence+2:
		return fmt.Sprintf("gap: entry %d is lost", before.Sequence+1)
	case e.Gap:
		return "gap: entries before this one are lost"
	case before != nil && !follows:
		return fmt.Sprintf("the device started again: incarnation %d", e.Incarnation)
	}
	return ""
}

// place prints incarnation and sequence: "7.41".
func place(incarnation, sequence uint32) string { return fmt.Sprintf("%d.%d", incarnation, sequence) }

// errEnough ends a tail that has seen what it was asked for.
var errEnough = errors.New("enough entries")

func (c *cli) logTailCommand() *cobra.Command {
	var f readFlags
	cmd := &cobra.Command{
		Use:   "tail LOG|SERVICE/LOG",
		Short: "Follow a log as it grows",
		Long: `Tail prints each entry as it comes, until Ctrl-C, or until --count entries have come. --from begins with what the log already
holds. With --json it prints one line per entry.

Where the device is away and the capability has a mirror half, the copy at its home node is followed until the device is back, and a line
on standard error says so, as it does when the device answers again. --direct never does that; --mirror follows the copy alone. On a home
node of the device its own copy is followed.

` + capFlagHelp,
		Example: `  edgeistry log tail greenhouse/temperature
  edgeistry log tail smoothed --from 1 --json
  edgeistry log tail greenhouse/events --count 1 --timeout 1m`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(c.completeLogs),
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := parseTarget(args[0], false)
			if err != nil {
				return err
			}
			wanted := f.count
			if cmd.Flags().Changed("count") && wanted < 1 {
				return usagef("--count %d: ask for at least one entry", wanted)
			}
			f.count = 0
			req, err := c.readRequest(at, f)
			if err != nil {
				return err
			}
			return c.tail(cmd.Context(), at, req, wanted)
		},
	}
	f.register(cmd)
	cmd.Flags().IntVar(&f.last, "last", 0, "begin with this `NUMBER` of the newest entries")
	cmd.Flags().IntVar(&f.count, "count", 0, "stop after this `NUMBER` of entries")
	return cmd
}

// showSource says on standard error that it is a copy that is followed, and when that changes.
func (c *cli) showSource() func(api.Source) {
	first := true
	return func(s api.Source) {
		again := ""
		if s.Copy == nil && !first {
			again = " again"
		}
		if s.Copy != nil || !first {
			if c.json {
				_ = json.NewEncoder(c.stderr).Encode(map[string]any{"source": s})
			}
			c.note("head %s, %s%s", place(s.Head.Incarnation, s.Head.Sequence), c.fromCopy(s.By, s.Copy), again)
		}
		first = false
	}
}

func (c *cli) tail(ctx context.Context, at target, req api.ReadRequest, wanted int) error {
	h, client, err := c.connect()
	if err != nil {
		return err
	}
	defer client.Close()
	follow, cancel := c.stream(ctx, "following "+at.String())
	defer cancel()
	seen := 0
	var before *api.Entry
	var decode func([]byte) decoded
	if c.json {
		decode = c.decoder(at)
	}
	err = client.Tail(follow, req, c.showSource(), func(e api.Entry) error {
		if c.json {
			if err := c.writeLine(entryShown{e, decode(e.Payload)}); err != nil {
				return err
			}
		} else {
			c.printEntry(&e, before)
			before = &e
		}
		if seen++; wanted > 0 && seen >= wanted {
			return errEnough
		}
		return nil
	})
	switch {
	case errors.Is(err, errEnough):
		return nil
	case follow.Err() == nil && err == nil:
		return failedf("the node stopped").Try("edgeistry run%s", c.homeFlag())
	case follow.Err() == nil:
		return c.explain(follow, h, client, err)
	case ctx.Err() == nil && seen < wanted:
		return fail(exitTimeout, "timed out after %s: %d of %s came", c.timeout, seen, one(wanted, "entry", "entries"))
	}
	return nil // Ctrl-C or --timeout: following was all that was asked
}
