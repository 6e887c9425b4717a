package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/node/state"
)

const tokenPrefix = "ecap1_"

// tokenHelp is said wherever a command takes a token.
const tokenHelp = `CAP is a name in the keychain (greenhouse/anna), the text of a token (ecap1_...), or - to read the text from standard
input, which keeps it out of the process list and the shell's history.`

func looksLikeToken(text string) bool { return strings.HasPrefix(strings.TrimSpace(text), tokenPrefix) }

// parseToken reads a token's text. The error never repeats the text: most of it may be a working secret.
func parseToken(text string) (*capability.Capability, error) {
	found, err := capability.Parse(strings.TrimSpace(text))
	if err != nil {
		return nil, usagef("%w", err).Try("copy the whole text, from %s to its end", tokenPrefix)
	}
	return found, nil
}

// inspection is what can be said of a capability without its secret.
type inspection struct {
	Name       string   `json:"name,omitempty"` // in the keychain
	Service    string   `json:"service"`
	Local      string   `json:"local,omitempty"` // local name of the service
	Epoch      uint16   `json:"epoch"`
	Branch     uint8    `json:"branch"`
	Mirror     bool     `json:"mirror"`
	Generation uint8    `json:"generation"`
	Nonce      string   `json:"nonce"`
	Frames     []string `json:"frames"`
	AddedBy    []string `json:"added_by"`              // of each frame: who could have added it
	MirrorHalf bool     `json:"mirror_half,omitempty"` // home nodes answer to it, too
	Expires    string   `json:"expires,omitempty"`     // RFC 3339, the earliest of all frames
	Expired    bool     `json:"expired"`
	Ended      string   `json:"ended,omitempty"` // why it was revoked, if this home owns the service
	// MirrorEnded says why the mirror half alone was revoked, if this home owns the service.
	MirrorEnded string `json:"mirror_ended,omitempty"`
	Cost        cost   `json:"cost"`
}

type cost struct {
	OpenBytes           int     `json:"open_bytes"`
	RequestBytes        int     `json:"request_bytes"`
	OpenHMACs           int     `json:"open_hmacs"`
	RequestHMACs        int     `json:"request_hmacs"`
	OpenCompressions    int     `json:"open_compressions"`
	RequestCompressions int     `json:"request_compressions"`
	OpenCycles          int     `json:"open_avr_cycles"`
	RequestCycles       int     `json:"request_avr_cycles"`
	OpenMS              float64 `json:"open_avr_ms"`
	RequestMS           float64 `json:"request_avr_ms"`

	// What privacy adds to each; the bytes once more to the answer.
	PrivateBytes        int     `json:"private_bytes"`
	PrivateHMACs        int     `json:"private_hmacs"`
	PrivateCompressions int     `json:"private_compressions"`
	PrivateCycles       int     `json:"private_avr_cycles"`
	PrivateMS           float64 `json:"private_avr_ms"`
}

func inspect(name string, p *capability.Capability, h *state.State, now time.Time) inspection {
	in := inspection{
		Name: name, Service: p.Service.String(), Epoch: p.Header.Epoch, Branch: p.Header.Branch,
		Mirror: p.Header.Branch == capability.BranchMirror, Generation: p.Header.Generation,
		Nonce: fmt.Sprintf("%x", p.Header.Nonce), Frames: p.Describe(), MirrorHalf: p.Mirror() != nil,
	}
	for i := range p.Frames {
		in.AddedBy = append(in.AddedBy, addedBy(p.Header.Branch, i))
	}
	if h != nil {
		in.Local, in.Ended = h.Names.Of(p.Service), h.Ended(p)
		if m := p.Mirror(); m != nil && in.Ended == "" {
			in.MirrorEnded = h.Ended(m)
		}
	}
	if end, ok := earliestEnd(p); ok {
		in.Expires, in.Expired = end.UTC().Format(time.RFC3339), !now.Before(end)
	}
	spent := p.Cost()
	in.Cost = cost{
		OpenBytes: spent.OpenBytes, RequestBytes: spent.RequestBytes, OpenHMACs: spent.OpenHMACs, RequestHMACs: spent.RequestHMACs,
		OpenCycles: spent.OpenCycles, RequestCycles: spent.RequestCycles,
		OpenCompressions: spent.OpenCompressions, RequestCompressions: spent.RequestCompressions,
		OpenMS:    spent.OpenTime().Seconds() * 1000,
		RequestMS: spent.RequestTime().Seconds() * 1000,

		PrivateBytes: spent.PrivateBytes, PrivateHMACs: spent.PrivateHMACs, PrivateCompressions: spent.PrivateCompressions,
		PrivateCycles: spent.PrivateCycles, PrivateMS: spent.PrivateTime().Seconds() * 1000,
	}
	return in
}

// addedBy says who could have added a frame, counted from 0: the chain of HMACs proves no more than that.
func addedBy(branch uint8, frame int) string {
	switch {
	case frame > 0:
		return "any holder of the capability before it"
	case branch == capability.BranchOwner:
		return "the owner, who has the key of branch 0"
	case branch == capability.BranchMirror:
		return "whoever minted it: the owner or a home node, who have the key of branch 15"
	}
	return fmt.Sprintf("whoever minted it: the owner, who has the key of branch %d", branch)
}

// earliestEnd returns the first EXPIRY among all frames; ok is false if none has one.
func earliestEnd(p *capability.Capability) (end time.Time, ok bool) {
	for _, frame := range p.Frames {
		spec, err := frame.Decode()
		if err != nil {
			continue
		}
		for _, l := range spec.Limits {
			if l.Type != capability.TypeExpiry {
				continue
			}
			if t := time.Unix(int64(l.Unix), 0); !ok || t.Before(end) {
				end, ok = t, true
			}
		}
	}
	return end, ok
}

func (c *cli) showInspection(in inspection) {
	service := in.Service
	if in.Local != "" {
		service += " (" + in.Local + ")"
	}
	lines := [][2]string{{"service", fmt.Sprintf("%s   epoch %d", service, in.Epoch)}}
	if in.Name != "" {
		lines = append(lines, [2]string{"keychain", in.Name})
	}
	for i, frame := range in.Frames {
		lines = append(lines, [2]string{fmt.Sprintf("frame %d", i+1), frame})
	}
	if in.Expired {
		lines = append(lines, [2]string{"over", "since " + in.Expires})
	}
	if in.Ended != "" {
		lines = append(lines, [2]string{"revoked", in.Ended})
	}
	branch := fmt.Sprintf("branch %d, generation %d", in.Branch, in.Generation)
	switch {
	case in.Mirror:
		branch += " (mirror: home nodes check it, devices refuse it)"
	case in.Branch == capability.BranchOwner:
		branch += " (the owner's)"
	case in.MirrorHalf:
		branch += "; its mirror half with branch 15"
	}
	switch {
	case in.MirrorEnded != "":
		lines = append(lines, [2]string{"mirror", "home nodes answer to it no more: " + in.MirrorEnded})
	case in.MirrorHalf && in.Ended == "":
		lines = append(lines, [2]string{"mirror", "home nodes answer to it too, from the entries they keep, while the device is away"})
	}
	lines = append(lines,
		[2]string{"revocable", branch},
		[2]string{"cost", fmt.Sprintf("%d bytes to open, %d a request then; ATmega328P about %s, then %s (check and answer)",
			in.Cost.OpenBytes, in.Cost.RequestBytes,
			number(in.Cost.OpenMS)+" ms", number(in.Cost.RequestMS)+" ms")})
	c.facts(lines...)
}

// keep saves a capability in the keychain. The first half of its name becomes the service's local name if it has none
// yet; a half that already means another service is refused, because it would mislead.
func keep(h *state.State, name string, p *capability.Capability) error {
	if err := state.CheckCapabilityName(name); err != nil {
		return usagef("%w", err)
	}
	local, _, _ := strings.Cut(name, "/")
	known, err := h.Names.Service(local)
	switch {
	case err == nil && known != p.Service:
		return usagef("keep %s: %q is the name of another service (%s)", name, local, known).Try("another name before the slash")
	case errors.Is(err, state.ErrNotFound):
		if err := h.Names.Save(local, p.Service); err != nil {
			return failedf("keep %s: %w", name, err)
		}
	case err != nil:
		return failedf("keep %s: %w", name, err)
	}
	if err := h.Keychain.Save(name, p); err != nil {
		return failedf("%w", err).Try("edgeistry cap ls, edgeistry cap rm")
	}
	return nil
}
