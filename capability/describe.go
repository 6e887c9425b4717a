package capability

import (
	"fmt"
	"strings"
	"time"

	"github.com/edgeistry/edgeistry/coap"
)

// Describe returns one line a frame that reads as a sentence: "until Fri 2026-11-27 23:59 UTC: read
// temperature; call valve with argument 0..30". A request must satisfy every line.
func (c *Capability) Describe() []string {
	lines := make([]string, len(c.Frames))
	for i, f := range c.Frames {
		lines[i] = f.Describe()
	}
	return lines
}

// Describe returns the frame as a sentence. Salt is left out: it permits and forbids nothing.
func (f Frame) Describe() string {
	s, err := f.Decode()
	if err != nil {
		return fmt.Sprintf("nothing (%v)", err)
	}
	var limits, grants []string
	for _, l := range s.Limits {
		if l.Type != TypeSalt {
			limits = append(limits, l.describe())
		}
	}
	for _, g := range s.Grants {
		grants = append(grants, g.describe())
	}
	switch {
	case len(limits) == 0 && len(grants) == 0:
		return "everything"
	case len(grants) == 0:
		return strings.Join(limits, ", ")
	case len(limits) == 0:
		return strings.Join(grants, "; ")
	}
	return strings.Join(limits, ", ") + ": " + strings.Join(grants, "; ")
}

func (l Limit) describe() string {
	switch l.Type {
	case TypeBound:
		return "with " + l.Bound.describe()
	case TypeSequence:
		return "entries " + l.Sequence.describe()
	case TypeExpiry:
		return "until " + timeText(l.Unix)
	case TypeNotBefore:
		return "from " + timeText(l.Unix)
	case TypeLease:
		return fmt.Sprintf("until %v after boot %d", time.Duration(l.Lease.Tick)*TickDuration, l.Lease.Boot)
	case TypeHold:
		return fmt.Sprintf("within %v of asking", HoldDuration(l.Hold))
	case TypeSalt:
		return fmt.Sprintf("salt %x", l.Salt)
	case TypeCount:
		return l.Count.describe()
	case TypeRate:
		return l.Rate.describe()
	case TypeAudience:
		return fmt.Sprintf("from peer %s only", l.Audience)
	case TypeDepth:
		return describeDepth(l.Depth)
	case TypeThirdParty:
		return l.ThirdParty.describe()
	case TypeProgram:
		return fmt.Sprintf("if the program (%d bytes) says so", len(l.Program))
	case TypeAlso:
		return l.Also.describe()
	}
	return fmt.Sprintf("%v (not known here: denies)", l.Type)
}

func describeDepth(n uint8) string {
	switch n {
	case 0:
		return "passed on no further"
	case 1:
		return "passed on at most 1 more time"
	}
	return fmt.Sprintf("passed on at most %d more times", n)
}

func (b Bound) describe() string {
	text := fmt.Sprintf("argument %d..%d", b.Min, b.Max)
	if b.Width != 1 || b.Signed || b.LittleEndian {
		sign, order := "u", ""
		if b.Signed {
			sign = "i"
		}
		if b.LittleEndian {
			order = "le"
		}
		text = fmt.Sprintf("argument %s%d%s:%d..%d", sign, 8*int(b.Width), order, b.Min, b.Max)
	}
	if b.Offset != 0 {
		text += fmt.Sprintf(" at byte %d", b.Offset)
	}
	return text
}

func (s Sequence) describe() string {
	if s.To == ^uint32(0) {
		return fmt.Sprintf("%d and later", s.From)
	}
	return fmt.Sprintf("%d..%d", s.From, s.To)
}

func (g Grant) describe() string {
	name := g.Name
	if g.Prefix {
		name += "*"
	}
	text := g.Operations.String() + " " + name
	if g.Name == "" && !g.Prefix { // TIME and MANAGE have no name
		text = g.Operations.String()
	}
	for _, p := range g.Parts {
		text += " " + p.describe()
	}
	return text
}

// Explain reports in words why a verdict denies req: "frame 1 allows argument 0..30, not 90". For
// other reasons it gives their text.
func (c *Capability) Explain(v Verdict, req *coap.Message) string {
	if v.Reason != ReasonDenied && v.Reason != ReasonNotEvaluable {
		return v.Reason.String()
	}
	part, number, discharge := v.Place()
	switch {
	case v.Frame == 0:
		return fmt.Sprintf("branch %d may not do this, whatever its frames say", c.Header.Branch)
	case part > 0:
		return fmt.Sprintf("frame %d of capability %d of those sent together: %v", number, part+1, v.Constraint)
	case discharge && v.Constraint == TypeThirdParty:
		return fmt.Sprintf("the discharge of frame %d is not what the frame demands", number)
	case discharge:
		return fmt.Sprintf("the discharge of frame %d denies: %v", number, v.Constraint)
	case number < 1 || number > len(c.Frames):
		return v.Reason.String()
	}
	f := c.Frames[number-1]
	if v.Reason == ReasonNotEvaluable {
		return fmt.Sprintf("frame %d says %q, and %s", number, f.Describe(), whyNotEvaluable(v.Constraint))
	}
	spec, err := f.Decode()
	if err != nil {
		return fmt.Sprintf("frame %d allows nothing: %v", number, err)
	}
	if text := spec.explain(v.Constraint, req); text != "" {
		return fmt.Sprintf("frame %d allows %s", number, text)
	}
	return fmt.Sprintf("frame %d allows only: %s", number, f.Describe())
}

// whyNotEvaluable reports what the verifier lacks.
func whyNotEvaluable(t ConstraintType) string {
	switch t {
	case TypeExpiry, TypeNotBefore:
		return "the verifier does not know the time yet"
	case TypeCount:
		return "no cell of the verifier is reserved for it (or the session was opened before)"
	case TypeRate:
		return "the verifier has no room to measure a rate just now"
	case TypeAudience:
		return "the verifier cannot know which peer asks"
	case TypeProgram:
		return "the verifier runs no programs"
	}
	return "the verifier cannot tell"
}

// explain finds the constraints of that type that have to do with req.
func (s FrameSpec) explain(t ConstraintType, req *coap.Message) string {
	target, _ := TargetOf(req)
	parts := s.Limits
	for _, g := range s.Grants {
		judged := Situation{Target: target}
		if g.Operations&target.Operation != 0 && judged.named([]byte(g.Name), g.Prefix) {
			parts = append(parts[:len(parts):len(parts)], g.Parts...)
		}
	}
	var allowed []string
	not := ""
	for _, p := range parts {
		if p.Type != t {
			continue
		}
		switch t {
		case TypeBound:
			allowed = append(allowed, p.Bound.describe())
			if n, ok := p.Bound.field(req.Payload); ok {
				not = fmt.Sprintf(", not %d", n)
			} else {
				not = fmt.Sprintf(", not a payload of %d bytes", len(req.Payload))
			}
		case TypeSequence:
			allowed = append(allowed, p.describe())
		case TypeExpiry, TypeNotBefore, TypeLease, TypeHold, TypeCount, TypeRate, TypeAudience, TypeDepth, TypeThirdParty, TypeProgram, TypeAlso:
			allowed = append(allowed, "nothing but "+p.describe())
		default:
			return ""
		}
	}
	if len(allowed) == 0 {
		return ""
	}
	return strings.Join(allowed, " or ") + not
}

// spanText prints a span as phrase.ParseUntil reads it, in the largest unit that fits.
func spanText(d time.Duration) string {
	for _, u := range []struct {
		name string
		unit time.Duration
	}{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}} {
		if d > 0 && d%u.unit == 0 {
			return fmt.Sprintf("%d%s", d/u.unit, u.name)
		}
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

const timeFormat = "Mon 2006-01-02 15:04 MST"

// timeText prints a time of an expiry; seconds only where they say something.
func timeText(unix uint32) string {
	at := time.Unix(int64(unix), 0).UTC()
	if s := at.Second(); s != 0 && s != 59 {
		return at.Format("Mon 2006-01-02 15:04:05 MST")
	}
	return at.Format(timeFormat)
}
