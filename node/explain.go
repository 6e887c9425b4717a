package node

import (
	"fmt"
	"strings"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/node/api"
)

// describe says in words who refused what, and why.
func (n *Node) describe(out *api.CallResult, d *coap.Denied, with *capability.Capability, req *capability.Message) {
	if d.Reason != capability.ReasonNone {
		out.ReasonText = d.Reason.String()
	}
	out.Frame = d.Frame
	if d.Frame > 0 {
		out.Constraint = d.Constraint.String()
	}
	who := "by the " + out.By
	if !d.ByDevice {
		who = "on the way (" + out.By + ")"
	}
	verb := "refused"
	if d.Reason == capability.ReasonDenied || d.Reason == capability.ReasonNotEvaluable {
		verb = "denied"
	}
	why := d.Message
	if with != nil && d.Frame > 0 {
		if text := explain(with, d, req); text != "" {
			why = text
		}
	}
	out.Message = fmt.Sprintf("%s %s: %s", verb, who, why)
}

// explain says what the frame that denied allows, and what was asked for.
func explain(c *capability.Capability, d *coap.Denied, req *capability.Message) string {
	if d.Frame < 1 || d.Frame > len(c.Frames) {
		return ""
	}
	spec, err := capability.DecodeFrame(c.Frames[d.Frame-1])
	if err != nil {
		return ""
	}
	switch d.Constraint {
	case capability.TypeBound:
		if text := explainBound(spec, req); text != "" {
			return fmt.Sprintf("frame %d allows %s", d.Frame, text)
		}
	case capability.TypeExpiry, capability.TypeNotBefore, capability.TypeLease, capability.TypeGrant, capability.TypeGrantPrefix, capability.TypeSequence, capability.TypeHold:
		lines := c.Describe()
		if d.Frame <= len(lines) {
			text := fmt.Sprintf("frame %d allows only: %s", d.Frame, lines[d.Frame-1])
			if d.Reason == capability.ReasonNotEvaluable {
				text += " (the device does not know the time yet)"
			}
			return text
		}
	}
	return ""
}

// explainBound names the bound that the payload breaks.
func explainBound(spec capability.FrameSpec, req *capability.Message) string {
	if req == nil {
		return ""
	}
	target, _ := req.Target()
	var bounds []capability.Bound
	for _, l := range spec.Limits {
		if l.Type == capability.TypeBound {
			bounds = append(bounds, l.Bound)
		}
	}
	for _, g := range spec.Grants {
		if g.Operations&target.Operation == 0 || (!g.Prefix && g.Name != target.Name) || (g.Prefix && !strings.HasPrefix(target.Name, g.Name)) {
			continue
		}
		for _, p := range g.Parts {
			if p.Type == capability.TypeBound {
				bounds = append(bounds, p.Bound)
			}
		}
	}
	for _, b := range bounds {
		got, ok := field(b, req.Payload)
		if !ok {
			return fmt.Sprintf("argument %d..%d, but the payload of %d bytes has none at offset %d", b.Min, b.Max, len(req.Payload), b.Offset)
		}
		if got < b.Min || got > b.Max {
			return fmt.Sprintf("argument %d..%d, not %d", b.Min, b.Max, got)
		}
	}
	return ""
}

// field reads the part of a payload that a bound is about.
func field(b capability.Bound, payload []byte) (int64, bool) {
	from, to := int(b.Offset), int(b.Offset)+int(b.Width)
	if to > len(payload) || b.Width == 0 || b.Width > 4 {
		return 0, false
	}
	var v uint64
	for i := from; i < to; i++ {
		at := i
		if b.LittleEndian {
			at = from + to - 1 - i
		}
		v = v<<8 | uint64(payload[at])
	}
	if b.Signed {
		shift := 64 - 8*uint(b.Width)
		return int64(v<<shift) >> shift, true
	}
	return int64(v), true
}

func printable(b []byte) string {
	b = append([]byte(nil), b[:min(len(b), 120)]...)
	for i, c := range b {
		if c < 0x20 || c > 0x7E {
			b[i] = '?'
		}
	}
	return string(b)
}
