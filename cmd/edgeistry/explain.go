package main

import (
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/capability/phrase"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/function/wasm"
	"github.com/edgeistry/edgeistry/node/api"
)

// explainFlags are what a verifier would know of the request.
type explainFlags struct {
	proof      proofFlags
	as         string
	at         string
	clock      bool
	hold       time.Duration
	peer       string
	boot, tick int64
}

// judged is what one frame says, with --json.
type judged struct {
	Capability int    `json:"capability"` // from 1
	Frame      int    `json:"frame"`      // from 1; 0: the branch itself
	Discharge  bool   `json:"discharge,omitempty"`
	Allows     string `json:"allows"`
	Holds      bool   `json:"holds"`
	If         string `json:"if,omitempty"` // holds under that condition, which only the device can tell
	Why        string `json:"why,omitempty"`
}

// explained is the whole verdict.
type explained struct {
	Request string   `json:"request"`
	Allowed bool     `json:"allowed"`
	Frames  []judged `json:"frames"`
	Message string   `json:"message"` // as the device would say it
}

const requestHelp = `REQUEST is one of
  read LOG [FROM..TO]        follow LOG
  call FUNCTION [NUMBER]     append LOG [HEX]
  set-time                   manage
A number is one byte unless --as says otherwise; append takes hexadecimal bytes, or a number with --as.`

func (c *cli) capExplainCommand() *cobra.Command {
	var f explainFlags
	cmd := &cobra.Command{
		Use:   "explain CAP REQUEST...",
		Short: "Say whether a capability allows a request, frame by frame (no key, no node)",
		Long: `Explain judges a request as the device would, frame by frame, and says which frame denies it and why. Nothing is sent. It ends with 0
if the request is allowed, with 4 if it is denied.

` + requestHelp + `

What only the device can tell is said as a condition: how often a count was used, whether a rate allows one just now. --cap and
--discharge add what proves the request beside CAP.

` + tokenHelp,
		Example: `  edgeistry cap explain greenhouse/anna call valve 90
  edgeistry cap explain greenhouse/anna read temperature 5..20 --at friday
  edgeistry cap explain greenhouse/anna call tune 300 --as u16 --clock=false
  edgeistry cap explain lock/visitor call door --discharge @word.txt --boot 7 --tick 41230`,
		Args:              cobra.MinimumNArgs(2),
		ValidArgsFunction: c.completeWish(c.completeNames, beforeSlash),
		RunE:              func(cmd *cobra.Command, args []string) error { return c.explainRequest(cmd, args, &f) },
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.proof.caps, "cap", nil, "another `CAPABILITY` that proves the request too; may be repeated")
	flags.StringArrayVar(&f.proof.discharges, "discharge", nil, "the word of a guard: its `TEXT` (edis1_...), @FILE, or -; may be repeated")
	flags.StringVar(&f.as, "as", "", "encode the number as this `KIND`: u8, u16, u32, i8, i16, i32 (u16le: little-endian)")
	flags.StringVar(&f.at, "at", "", "judge as of this `TIME` (default: now), past or future: friday, 2026-11-27T18:00, 2h, yesterday, 2h ago")
	flags.BoolVar(&f.clock, "clock", true, "the device knows the time; --clock=false: it does not")
	spanVar(cmd, &f.hold, "hold", 0, "the request's hold (default: that of \"call\" or of \"log read\")")
	flags.StringVar(&f.peer, "peer", "", "the request comes from this `PEER` (12D3KooW...) and a node judges; without, a device does")
	flags.Int64Var(&f.boot, "boot", 0, "the device's boot `COUNT`, for leases")
	flags.Int64Var(&f.tick, "tick", 0, "the device's `TICK`, in 100 ms since its boot, for leases")
	return cmd
}

func (c *cli) explainRequest(cmd *cobra.Command, args []string, f *explainFlags) error {
	given := append([]string{args[0]}, f.proof.caps...)
	if len(given) > capability.MaxParts {
		return usagef("%d capabilities: at most %d prove a request together", len(given), capability.MaxParts)
	}
	var caps []*capability.Capability
	for _, text := range given {
		p, err := c.token(text)
		if err != nil {
			return err
		}
		if len(caps) > 0 && (p.Service != caps[0].Service || p.Header.Epoch != caps[0].Header.Epoch) {
			return usagef("%s is of another service or epoch than %s: they cannot go together", nameFor(text, "a capability"), nameFor(args[0], "the first"))
		}
		caps = append(caps, p)
	}
	var discharges []*capability.Discharge
	for _, text := range f.proof.discharges {
		d, err := c.discharge(text)
		if err != nil {
			return err
		}
		discharges = append(discharges, d)
	}
	req, err := readRequestWords(args[1:], f.as)
	if err != nil {
		return err
	}
	situation, err := c.situation(req, f)
	if err != nil {
		return err
	}
	policies, err := wasm.NewPolicies(cmd.Context())
	if err != nil {
		return failedf("%w", err)
	}
	defer policies.Close()
	situation.Program = policies.Run
	out := explained{Request: strings.Join(args[1:], " "), Allowed: true, Message: "allowed"}
	var denied error
	for _, found := range capability.Judge(caps, discharges, situation) {
		v := capability.Verdict{Reason: found.Denial.Reason, Frame: found.Denial.Frame, Constraint: found.Denial.Constraint}
		line := judged{
			Capability: found.Part + 1, Frame: found.Number, Discharge: found.Discharge, Allows: found.Text,
			Holds: v.Reason == capability.ReasonNone, If: found.If,
		}
		if !line.Holds {
			line.Why = capability.ExplainTogether(caps, discharges, v, req)
			if denied == nil {
				out.Allowed, out.Message = false, "denied: "+line.Why // nobody was asked
				denied = &api.Error{Kind: api.Denied, Message: out.Message, Denial: &api.Denial{
					By: "explain", Reason: uint8(v.Reason), Text: v.Reason.String(), Frame: v.Frame, Constraint: v.Constraint.String(),
				}}
			}
		}
		out.Frames = append(out.Frames, line)
	}
	if err := c.show(out, func() { c.showExplained(&out, len(caps) > 1) }); err != nil {
		return err
	}
	return denied
}

func (c *cli) showExplained(out *explained, several bool) {
	rows := [][]string{{"FRAME", "HOLDS", "ALLOWS"}}
	for _, f := range out.Frames {
		name := fmt.Sprint(f.Frame)
		if f.Frame == 0 {
			name = "-"
		}
		if f.Discharge {
			name += " discharge"
		}
		if several {
			name += fmt.Sprintf(" of capability %d", f.Capability)
		}
		holds := "yes"
		switch {
		case !f.Holds:
			holds = "no"
		case f.If != "":
			holds = "yes, if " + f.If
		}
		rows = append(rows, []string{name, holds, f.Allows})
	}
	c.table(rows)
	if out.Allowed {
		c.printf("allowed\n")
	}
}

// situation returns what a verifier would know.
func (c *cli) situation(req *coap.Message, f *explainFlags) (capability.Situation, error) {
	var s capability.Situation
	target, reason := capability.TargetOf(req)
	if reason != capability.ReasonNone {
		return s, usagef("%s", reason)
	}
	s.Target, s.Payload = target, req.Payload
	hold := f.hold
	switch {
	case hold == 0 && req.Code == coap.CodeGET:
		hold = client.DefaultHold
	case hold == 0:
		hold = capability.DefaultHold
	default:
		if err := checkHold(hold); err != nil {
			return s, err
		}
	}
	s.Hold = capability.EncodeHold(hold)
	at := c.now()
	if f.at != "" {
		var err error
		if at, err = phrase.ParseAt(f.at, c.now()); err != nil {
			return s, usagef("--at: %w", err)
		}
	}
	if f.clock {
		unix := at.Unix()
		if unix < 1 || unix > math.MaxUint32 {
			return s, usagef("--at %s does not fit the device's clock", stamp(at))
		}
		s.Now.Unix = uint32(unix)
	} else if f.at != "" {
		return s, usagef("--at and --clock=false exclude each other")
	}
	var err error
	if s.Boot, err = clampU32("boot", f.boot); err != nil {
		return s, err
	}
	if s.Now.Tick, err = clampU32("tick", f.tick); err != nil {
		return s, err
	}
	if f.peer != "" {
		if s.Peer, err = edgeistry.ParsePeerKey(f.peer); err != nil {
			return s, usagef("--peer: %w", err)
		}
	}
	return s, nil
}

// readRequestWords makes the message that the words stand for.
func readRequestWords(words []string, as string) (*coap.Message, error) {
	verb := words[0]
	shape := map[string]struct {
		code     uint8
		path     string
		min, max int
	}{
		"read":     {coap.CodeGET, "/l/", 1, 2},
		"follow":   {coap.CodeGET, "/l/", 1, 1},
		"call":     {coap.CodePOST, "/f/", 1, 2},
		"append":   {coap.CodePOST, "/l/", 1, 2},
		"set-time": {coap.CodePOST, "/t", 0, 0},
		"manage":   {coap.CodePOST, "/g", 0, 0},
	}
	s, ok := shape[verb]
	rest := words[1:]
	if !ok || len(rest) < s.min || len(rest) > s.max {
		return nil, usagef("%.60q is no request", strings.Join(words, " ")).Try("read LOG [FROM..TO], follow LOG, call FUNCTION [NUMBER], append LOG [HEX], set-time, manage")
	}
	if as != "" && (len(rest) < 2 || verb == "read") {
		return nil, usagef("--as says how a number is encoded, and there is none")
	}
	m := &coap.Message{Code: s.code}
	if verb == "follow" {
		m.AddUint(coap.OptionObserve, 0)
	}
	if len(rest) > 0 {
		s.path += rest[0]
	}
	if err := m.SetPath(s.path); err != nil {
		return nil, usagef("%w", err)
	}
	if len(rest) < 2 {
		return m, nil
	}
	if verb == "read" {
		return m, setRange(m, rest[1])
	}
	var err error
	m.Payload, err = wordPayload(verb, rest[1], as)
	return m, err
}

func wordPayload(verb, text, as string) ([]byte, error) {
	if as == "" && verb == "append" {
		raw, err := hex.DecodeString(text)
		if err != nil {
			return nil, usagef("%.40q is not hexadecimal", text).Try("--as u8, for a number")
		}
		return raw, nil
	}
	if as == "" {
		as = "u8"
	}
	spec, err := parseField(as)
	if err != nil {
		return nil, usagef("--as: %w", err)
	}
	raw, err := spec.encode(text)
	if err != nil {
		return nil, usagef("argument %w", err).Try("--as u16, for larger numbers")
	}
	return raw, nil
}

// setRange names entries: "5..20", or one.
func setRange(m *coap.Message, text string) error {
	low, high, found := strings.Cut(text, "..")
	if !found {
		high = low
	}
	var from, to uint32
	if _, err := fmt.Sscanf(low+" "+high+"\n", "%d %d\n", &from, &to); err != nil || from < 1 || to < from {
		return usagef("entries %.60q are no range (like 5..20)", text)
	}
	if to-from >= math.MaxUint8 {
		return usagef("entries %s are more than one request can name, %d", text, math.MaxUint8)
	}
	m.SetQuery(coap.Query{HasFrom: true, From: from, HasCount: true, Count: uint8(to - from + 1)})
	return nil
}
