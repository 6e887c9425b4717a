package node

import (
	"fmt"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/keychain"
)

// describe says in words who refused what, and why.
func (n *Node) describe(out *api.CallResult, d *client.Denied, with *keychain.Chosen, req *coap.Message) {
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
	why := d.Text()
	switch {
	case with != nil && verb == "denied":
		caps := append([]*capability.Capability{with.Capability}, with.Also...)
		why = capability.ExplainTogether(caps, with.Discharges, capability.Verdict{Reason: d.Reason, Frame: d.Frame, Constraint: d.Constraint}, req)
	case with != nil && with.Private && d.Reason == capability.ReasonTooLarge:
		why += ", or it takes no private requests"
	}
	out.Message = fmt.Sprintf("%s %s: %s", verb, who, why)
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
