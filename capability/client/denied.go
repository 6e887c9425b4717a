package client

import (
	"errors"
	"fmt"
	"time"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
)

// ErrUnproven reports that an answer of success came without a proof that the device gave it, so it
// counts for nothing.
var ErrUnproven = errors.New("the answer has no valid proof of the device")

// Denied is an answer that is an error. Only with ByDevice is it known to come from the device (or from the node that
// hosts the service): anybody on the way can make up the others.
type Denied struct {
	ByDevice   bool
	Code       uint8             // CoAP code
	Reason     capability.Reason // ReasonNone if the answer names none
	Frame      int               // from 1; 0: none
	Constraint capability.ConstraintType
	Unknown    bool          // a request that acts was refused without proof: it may have run, or may run within its hold
	Message    string        // for people
	RetryAfter time.Duration // from Max-Age of 4.29 and 5.03; 0: unknown
	here       bool          // this process refused the request, and nobody else saw it
	Waited     time.Duration // how long the caller waited in all for this to pass
}

func (d *Denied) Error() string {
	who := "refused on the way (unverified): "
	if d.ByDevice {
		who = "denied by the device: "
	}
	return who + d.Text()
}

// Text returns what was said and how long the caller waited for it to pass.
func (d *Denied) Text() string {
	if d.Waited < time.Second {
		return d.Message
	}
	return fmt.Sprintf("%s, after waiting for %v", d.Message, d.Waited.Round(time.Second))
}

// unknown reports that nobody can tell whether the request ran.
func (d *Denied) unknown() {
	d.Unknown = true
	d.Message += "; it may have run all the same: look before you ask again"
}

// Passes reports whether the refusal is one that passes by itself: the device has just started and does not know the time yet, or a node
// on the way was too busy.
func (d *Denied) Passes() bool {
	if d.ByDevice {
		return d.Reason == capability.ReasonNotEvaluable && (d.Constraint == capability.TypeExpiry || d.Constraint == capability.TypeNotBefore)
	}
	return d.Code == coap.CodeTooManyRequests
}

// newDenied reads an error answer. The error payload is reason u8 [| frame u8 | constraint type u8]; a node's own words
// start at 32 (docs/spec/wire.md).
func newDenied(resp *coap.Message, byDevice bool) *Denied {
	d := &Denied{ByDevice: byDevice, Code: resp.Code}
	p := resp.Payload
	text := ""
	switch {
	case len(p) > 0 && p[0] >= 0x20:
		text = printable(p)
	case len(p) >= 1:
		d.Reason = capability.Reason(p[0])
		if len(p) >= 3 {
			d.Frame, d.Constraint = int(p[1]), capability.ConstraintType(p[2])
		}
	}
	if age, ok := resp.GetUint(coap.OptionMaxAge); ok {
		d.RetryAfter = time.Duration(age) * time.Second
	}
	d.Message = coap.CodeText(resp.Code)
	switch {
	case text == "" && d.Reason == capability.ReasonNone && resp.Code == coap.CodeTooManyRequests:
		d.Message += " too many requests at once for the node on the way"
	case text != "":
		d.Message += " " + text
	case d.Reason != capability.ReasonNone:
		d.Message = d.Reason.String()
	}
	if d.Frame > 0 {
		d.Message += fmt.Sprintf(": frame %d, %s", d.Frame, d.Constraint)
	}
	return d
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
