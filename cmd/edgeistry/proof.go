package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
)

const dischargePrefix = "edis1_"

// proofFlags are the flags of everything that uses capabilities: which prove the request, with which words of guards, hidden or not.
type proofFlags struct {
	caps, discharges []string
	private          bool
}

const capFlagHelp = `Without --cap the node takes the capability of its keychain that fits best. --cap takes a keychain name, a token's text, or - for
standard input, which keeps the text out of the process list and the shell's history. Given more than once, all of them prove the
request together, and it must satisfy every frame of each. --discharge gives the word of a guard that a frame demands ("cap
discharge" makes it): its text (edis1_...), @FILE, or -. --private hides names and payload from everybody between this node and
the service; sizes, times and frames still show.`

func (p *proofFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&p.caps, "cap", nil, "`CAPABILITY`: keychain name, token text, or - for standard input; may be repeated")
	cmd.Flags().StringArrayVar(&p.discharges, "discharge", nil, "the word of a guard: its `TEXT` (edis1_...), @FILE, or - for standard input; may be repeated")
	cmd.Flags().BoolVar(&p.private, "private", false, "hide names and payload from the nodes on the way")
}

// readsInput reports whether standard input is used up, and fails if it is wanted twice.
func (p *proofFlags) readsInput(file string) error {
	wanted := 0
	for _, text := range append(slices.Clone(p.caps), p.discharges...) {
		if text == "-" {
			wanted++
		}
	}
	switch {
	case wanted > 1:
		return usagef("only one of --cap and --discharge can be standard input")
	case wanted > 0 && file == "-":
		return usagef("--cap - and --file - both want standard input")
	}
	return nil
}

// proof returns what the node is sent: names as they are, texts checked before they leave.
func (c *cli) proof(p *proofFlags) (first string, more api.Proof, err error) {
	if len(p.caps) > capability.MaxParts {
		return "", more, usagef("--cap %d times: at most %d capabilities prove a request together", len(p.caps), capability.MaxParts)
	}
	texts := make([]string, len(p.caps))
	for i, text := range p.caps {
		if texts[i], err = c.capText(text); err != nil {
			return "", more, err
		}
	}
	if len(texts) > 0 {
		first, more.Also = texts[0], texts[1:]
	}
	for _, text := range p.discharges {
		d, err := c.discharge(text)
		if err != nil {
			return "", more, err
		}
		more.Discharges = append(more.Discharges, d.Text())
	}
	more.Private = p.private
	return first, more, nil
}

// registerCap is --cap where one capability is all that is used.
func registerCap(cmd *cobra.Command, target *string) {
	cmd.Flags().StringVar(target, "cap", "", "`CAPABILITY`: keychain name, token text, or - for standard input")
}

// capText returns what the node is sent for --cap: a name as it is, a token checked before it leaves.
func (c *cli) capText(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	if text != "-" && !looksLikeToken(text) {
		if err := state.CheckCapabilityName(text); err != nil {
			return "", usagef("--cap: %w", err)
		}
		return text, nil
	}
	p, err := c.token(text)
	if err != nil {
		return "", err
	}
	return p.Text(), nil
}

// discharge reads the word of a guard: its text, @FILE, or - for standard input. The error never repeats the text.
func (c *cli) discharge(text string) (*capability.Discharge, error) {
	path, file := strings.CutPrefix(text, "@")
	if text == "-" {
		path, file = "-", true
	}
	if file {
		raw, err := readBounded(path, c.stdin, 1024)
		if err != nil {
			return nil, err
		}
		text = strings.TrimSpace(string(raw))
	}
	d, err := capability.ParseDischarge(text)
	if err != nil {
		return nil, usagef("--discharge: %w", err).Try("the whole text that \"edgeistry cap discharge\" printed, from %s to its end; or @FILE", dischargePrefix)
	}
	return d, nil
}
