package capability

import (
	"fmt"

	"github.com/edgeistry/edgeistry/coap"
)

// ExplainTogether reports in words why a verdict denies req, which these capabilities and
// discharges proved together: "frame 1 allows argument 0..30, not 90". For other reasons it gives
// their text.
func ExplainTogether(caps []*Capability, discharges []*Discharge, v Verdict, req *coap.Message) string {
	if v.Reason != ReasonDenied && v.Reason != ReasonNotEvaluable {
		return v.Reason.String()
	}
	p, number, discharge := v.Place()
	if p >= len(caps) {
		return v.Reason.String()
	}
	c := caps[p]
	place := fmt.Sprintf("frame %d", number)
	if len(caps) > 1 {
		place += fmt.Sprintf(" of capability %d", p+1)
	}
	switch {
	case number == 0:
		return fmt.Sprintf("branch %d may not do this, whatever its frames say", c.Header.Branch)
	case number > len(c.Frames):
		return v.Reason.String()
	case !discharge:
		return explainFrame(place, c, number, v, req)
	}
	place = "the discharge of " + place
	d := dischargeFor(c.Frames[number-1], discharges)
	if d == nil || v.Constraint == TypeThirdParty {
		return place + " is not what the frame demands"
	}
	return explainFrame(place, &Capability{Frames: []Frame{d.Frame}}, 1, v, req)
}

// explainFrame reports what a frame allows and, where the constraint alone does not tell, what was
// wrong with the request.
func explainFrame(place string, c *Capability, number int, v Verdict, req *coap.Message) string {
	f := c.Frames[number-1]
	if v.Reason == ReasonNotEvaluable {
		return fmt.Sprintf("%s says %q, and %s", place, f.Describe(), whyNotEvaluable(v.Constraint))
	}
	spec, err := f.Decode()
	if err != nil {
		return fmt.Sprintf("%s allows nothing: %v", place, err)
	}
	if v.Constraint == TypeBound && req != nil {
		if text := spec.explain(TypeBound, req); text != "" {
			return place + " allows " + text
		}
	}
	text := place + " allows only: " + f.Describe()
	switch v.Constraint {
	case TypeCount:
		text += " (they are used up)"
	case TypeRate:
		text += " (none is left just now; a session begins with none)"
	case TypeThirdParty:
		text += " (its word is missing: --discharge edis1_...)"
	case TypeAlso:
		text += " (it is missing: --cap)"
	case TypeProgram:
		text += " (it says no)"
	case TypeDepth:
		if n := len(c.Frames) - number; n == 1 {
			text += " (and 1 frame follows)"
		} else {
			text += fmt.Sprintf(" (and %d frames follow)", n)
		}
	}
	return text
}
