package main

import (
	"crypto/rand"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/phrase"
	"github.com/edgeistry/edgeistry/node/state"
)

func (c *cli) capAttenuateCommand() *cobra.Command {
	var w wishFlags
	cmd := &cobra.Command{
		Use:     "attenuate CAP [WISH ...]",
		Aliases: []string{"narrow"},
		Short:   "Narrow a capability, to pass it on (no node, no network)",
		Long: `Attenuate adds one frame to a capability. A request must satisfy every frame, so the result can do what both the old
capability and the new frame allow, and never more. It needs nothing but the capability: no node, no network, no key. Of a pair
both halves are narrowed; the mirror half is left out where nothing that it reads is left, or a limit means nothing there.

` + wishHelp + `

` + tokenHelp + `

` + limitsHelp + `

` + leaseHelp,
		Example: `  edgeistry cap attenuate greenhouse/owner read temperature until friday --save greenhouse/anna
  edgeistry cap attenuate greenhouse/owner call valve --times 5 --cell 0 --rate 1/10m --save greenhouse/plumber
  edgeistry cap attenuate lock/owner call door --guard office/doorman --save lock/visitor
  edgeistry cap attenuate greenhouse/owner read temperature and call valve 0..30 for 2h --qr
  edgeistry cap attenuate greenhouse/owner --read temperature --call valve --arg 0..30 --until friday --save greenhouse/anna
  edgeistry cap show greenhouse/anna | edgeistry cap attenuate - --until 2h
  edgeistry cap attenuate greenhouse/owner --lease 5s --boot 7 --tick 41230`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: c.completeWish(c.completeNames, beforeSlash),
		RunE: func(cmd *cobra.Command, args []string) error {
			parent, err := c.token(args[0])
			if err != nil {
				return err
			}
			wish, err := c.wish(cmd, args[1:], &w, parent.Service)
			if err != nil {
				return err
			}
			child, err := c.narrow(parent, wish, &w)
			if err != nil {
				return err
			}
			return c.deliver(child, &w)
		},
	}
	w.register(cmd)
	return cmd
}

// narrow adds the frame of a wish and, behind it, that of --guard: the two have no room in one.
func (c *cli) narrow(parent *capability.Capability, wish phrase.Wish, w *wishFlags) (*capability.Capability, error) {
	spec, err := wish.Spec()
	if err != nil {
		return nil, usagef("%w", err)
	}
	empty := len(spec.Limits)+len(spec.Grants) == 0
	if empty && w.guard == "" {
		return nil, usagef("nothing to narrow: say what stays allowed or until when").
			Try("--read, --call, --append, --until, --times, --rate, --guard or --lease")
	}
	if w.warning = tooDeep(parent, empty, w.guard != ""); w.warning != "" {
		c.note("warning: %s", w.warning)
	}
	child := parent
	if !empty {
		if child, err = parent.Attenuate(rand.Reader, spec); err != nil {
			return nil, usagef("%w", err).Try("two frames: attenuate it once more with the rest")
		}
	}
	if w.guard == "" {
		return child, nil
	}
	limit, err := c.demandGuard(w, child)
	if err != nil {
		return nil, err
	}
	if child, err = child.Attenuate(rand.Reader, capability.FrameSpec{Limits: []capability.Limit{limit}}); err != nil {
		return nil, usagef("%w", err)
	}
	return child, nil
}

// tooDeep returns which DEPTH of a capability counts its new frames as too many: every request under the result is denied.
func tooDeep(parent *capability.Capability, empty, guard bool) string {
	more := 0
	if !empty {
		more++
	}
	if guard {
		more++
	}
	for i, frame := range parent.Frames {
		spec, err := frame.Decode()
		if err != nil {
			continue
		}
		for _, l := range spec.Limits {
			if l.Type == capability.TypeDepth && len(parent.Frames)-1-i+more > int(l.Depth) {
				return fmt.Sprintf("frame %d says %q: what was made allows nothing; give the capability away as it is, or narrow the one that it was made from",
					i+1, frame.Describe())
			}
		}
	}
	return ""
}

// minted is what mint and attenuate print.
type minted struct {
	Token string `json:"token,omitempty"` // the secret; not with --save
	Saved string `json:"saved,omitempty"`
	// Warning says why the capability may not be what was wanted.
	Warning string `json:"warning,omitempty"`
	inspection
}

// deliver saves or prints a new capability.
func (c *cli) deliver(p *capability.Capability, w *wishFlags) error {
	var h *state.State
	if w.save != "" {
		var err error
		if h, err = c.openHome(); err != nil {
			return err
		}
		if err := keep(h, w.save, p); err != nil {
			return err
		}
	}
	out := minted{Saved: w.save, Warning: w.warning, inspection: inspect(w.save, p, h, c.now())}
	if w.save == "" && !w.qr.fileAlone() {
		out.Token = p.Text()
	}
	if c.json {
		if err := w.qr.write(c, p); err != nil {
			return err
		}
		return c.show(out, nil)
	}
	if w.save != "" {
		c.printf("saved %s\n", w.save)
		out.Name = "" // it was just said
		c.showInspection(out.inspection)
	}
	if w.save != "" && !w.qr.draw {
		return w.qr.write(c, p)
	}
	if w.qr.fileAlone() {
		c.showInspection(out.inspection)
	}
	return c.printToken(p, &w.qr)
}

// printToken prints the secret itself, as text and, if asked, as a QR code above it. A code that is wanted in a file goes
// there alone: who asks for a file does not want the secret on the screen.
func (c *cli) printToken(p *capability.Capability, q *qrFlags) error {
	if err := q.write(c, p); err != nil {
		return err
	}
	if q.fileAlone() {
		return nil
	}
	text := p.Text()
	if q.draw {
		code, err := terminalQR(text, terminal(c.stdout))
		if err != nil {
			return failedf("%w", err)
		}
		fmt.Fprint(c.stdout, code) // its colours are escape sequences of our own
	}
	c.printf("%s\n", text)
	return nil
}
