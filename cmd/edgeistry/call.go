package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
)

// callFlags are the values of call.
type callFlags struct {
	payloadFlags
	proof proofFlags
	as    string
	hold  time.Duration
	trace bool
	wait  bool
}

func (c *cli) callCommand() *cobra.Command {
	var f callFlags
	cmd := &cobra.Command{
		Use:   "call SERVICE/FUNCTION [ARGUMENT]",
		Short: "Call a function of a service, anywhere in the mesh",
		Long: `Call sends a request that is protected from here to the service: nothing on the way can alter it, repeat it or answer for it. The
line it prints says who answered ("from the device" is proved by a tag that only the device can make) and where the time went.

A device that is known to be away gets two seconds to answer, and the error says since when it has been away; --wait waits for it.

` + payloadHelp + `

` + capFlagHelp,
		Example: `  edgeistry call greenhouse/valve 20
  edgeistry call greenhouse/valve 20 --trace
  edgeistry call k51.../valve --hex 14 --cap ecap1_AQ...
  edgeistry call lock/door --cap lock/visitor --discharge @word.txt --private`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: first(c.completeFunctions),
		RunE:              func(cmd *cobra.Command, args []string) error { return c.call(cmd, args, f) },
	}
	f.payloadFlags.register(cmd)
	cmd.Flags().StringVar(&f.as, "as", "", "encode ARGUMENT as this `KIND`, whatever the manifest says: u8, u16, u32, i8, i16, i32 (u16le: little-endian)")
	f.proof.register(cmd)
	spanVar(cmd, &f.hold, "hold", 10*time.Second, "how long the request may be under way before the service refuses it, at most 56m")
	cmd.Flags().BoolVar(&f.wait, "wait", false, "if the device is away, wait for it as long as --timeout says")
	cmd.Flags().BoolVar(&f.trace, "trace", false, "draw where the time went")
	return cmd
}

func (c *cli) call(cmd *cobra.Command, args []string, f callFlags) error {
	at, err := parseTarget(args[0], true)
	if err != nil {
		return err
	}
	isSet := cmd.Flags().Changed
	if err := checkHold(f.hold); err != nil {
		return err
	}
	sources := f.chosen(isSet)
	if len(args) == 2 {
		sources++
	}
	if sources > 1 {
		return usagef("give one of ARGUMENT, --hex, --text, --file")
	}
	if err := f.proof.readsInput(f.file); err != nil {
		return err
	}
	if f.as != "" && len(args) < 2 {
		return usagef("--as says how ARGUMENT is encoded, and there is none")
	}
	payload, _, err := f.bytes(isSet, c.stdin)
	if err != nil {
		return err
	}
	if f.as != "" {
		spec, err := parseField(f.as)
		if err != nil {
			return usagef("--as: %w", err)
		}
		if payload, err = spec.encode(args[1]); err != nil {
			return usagef("argument %w", err)
		}
	}
	token, more, err := c.proof(&f.proof)
	if err != nil {
		return err
	}
	return c.ask(cmd.Context(), "waiting for "+at.String(), func(ctx context.Context, _ *state.State, client *api.Client) error {
		if len(args) == 2 && f.as == "" {
			if payload, err = encodeByManifest(ctx, client, at, args[1]); err != nil {
				return err
			}
		}
		result, err := client.Call(ctx, api.CallRequest{
			Service: at.service, Method: "POST", Path: "/f/" + at.name, Payload: payload, Capability: token, Proof: more,
			HoldMS: int(f.hold.Milliseconds()), Trace: true, Wait: f.wait, TimeoutMS: c.timeoutMS(),
		})
		if err != nil {
			return err
		}
		return c.showCall(at, result, f.trace)
	})
}

// encodeByManifest encodes a decimal argument as the service's manifest says.
func encodeByManifest(ctx context.Context, client *api.Client, at target, text string) ([]byte, error) {
	found, err := client.Resolve(ctx, at.service)
	if err != nil {
		return nil, err
	}
	function, err := findFunction(found.Manifest, at)
	if err != nil {
		return nil, err
	}
	if function.Argument == "" {
		return nil, usagef("%s takes no number: its manifest names no argument", at).Try("--as u8, --hex, --text or --file")
	}
	spec, err := parseField(function.Argument)
	if err != nil {
		return nil, usagef("%s: %w", at, err).Try("--as u8, --hex, --text or --file")
	}
	payload, err := spec.encode(text)
	if err != nil {
		return nil, usagef("%s: argument %w", at, err)
	}
	return payload, nil
}

func findFunction(manifest edgeistry.Manifest, at target) (edgeistry.FunctionInfo, error) {
	var names []string
	for _, f := range manifest.Functions {
		if f.Name == at.name {
			return f, nil
		}
		names = append(names, f.Name)
	}
	if len(names) == 0 {
		return edgeistry.FunctionInfo{}, notFoundf("%s has no functions", at.service)
	}
	return edgeistry.FunctionInfo{}, notFoundf("%s has no function %q; it has: %s", at.service, at.name, strings.Join(names, ", "))
}

// showCall prints an answer; a refusal is printed and then is the command's error.
func (c *cli) showCall(at target, r *api.CallResult, trace bool) error {
	if c.json {
		c.writeJSON(c.stdout, callShown{r, c.decoder(at)(r.Payload)})
		return r.Err()
	}
	if r.OK() {
		c.printf("%s\n", describeCall(r))
		if len(r.Payload) > 0 {
			c.printf("result   %s\n", readable(r.Payload))
		}
	}
	if trace {
		legs := make([]leg, 0, len(r.Legs))
		for _, l := range r.Legs {
			if l.Name == "total" {
				continue // it frames the drawing
			}
			legs = append(legs, leg{l.Name, time.Duration(l.At) * time.Microsecond, time.Duration(l.US) * time.Microsecond})
		}
		total := time.Duration(r.TotalUS) * time.Microsecond
		c.printf("%s", timeline(total, append([]leg{{"total", 0, total}}, legs...)))
		if r.Session != "" {
			c.printf("  session %s, request %d of it, answer %s\n", r.Session, r.Sequence, r.Code)
		}
	}
	return r.Err()
}

// describeCall says "ok  from the device in 58 ms (mesh 41, queue 0, link 9, device 8)".
func describeCall(r *api.CallResult) string {
	text := fmt.Sprintf("ok  %s in %s", from(r.By), milliseconds(time.Duration(r.TotalUS)*time.Microsecond))
	spent := map[string]int64{}
	for _, l := range r.Legs {
		spent[l.Name] += l.US
	}
	// The mesh leg spans everything behind it; what people compare is the way alone.
	if whole, ok := spent["mesh"]; ok {
		spent["mesh"] = max(whole-spent["home"], 0)
	}
	var parts []string
	for _, name := range []string{"resolve", "mesh", "queue", "link", "device"} {
		if us, ok := spent[name]; ok && (name != "resolve" || us >= 1000) { // most often it is known already
			parts = append(parts, name+" "+number(float64(us)/1000))
		}
	}
	if len(parts) > 0 {
		text += " (" + strings.Join(parts, ", ") + ")"
	}
	return text
}

// from puts who answered into the sentence: "from the device", or "unverified, via 12D3KooW...".
func from(by string) string {
	switch {
	case strings.HasPrefix(by, "unverified"):
		return by
	case by == "device" || by == "node":
		return "from the " + by
	case by == "mirror":
		return "from the mirror at its home node"
	}
	return "from " + by
}

func (p *payloadFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.hex, "hex", "", "send these `BYTES`, in hexadecimal")
	cmd.Flags().StringVar(&p.text, "text", "", "send this `TEXT`")
	cmd.Flags().StringVar(&p.file, "file", "", "send the content of this `FILE`; - is standard input")
}
