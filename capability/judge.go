package capability

import (
	"crypto/hmac"
	"fmt"
	"strings"
)

// Finding is what one frame, or one discharge, says of a request.
type Finding struct {
	Part      int    // which capability of those that prove it together, from 0
	Number    int    // its frame, from 1; 0: the branch itself
	Discharge bool   // it is the discharge of that frame
	Text      string // what it allows, as Describe has it
	Denial    Denial // ReasonNone: it holds
	If        string // it holds if the verifier finds this, too: "fewer than 2 were let through before"
}

// Judge asks every frame of the capabilities that prove a request together, and every discharge that they demand, and goes on where one denies: a
// verifier ends with the first. It judges offline, so what only a verifier can know stays open: a count and a rate hold under the
// condition in If, and that keys and discharges are right is taken for granted.
func Judge(caps []*Capability, discharges []*Discharge, s Situation) []Finding {
	var parts []part
	for _, c := range caps {
		p := part{header: c.Header}
		p.nframes = copy(p.frames[:], c.Frames)
		for k, f := range c.Frames {
			if d := dischargeFor(f, discharges); d != nil && k < MaxFrames {
				p.discharges[k] = boundDischarge{frame: d.Frame, binding: make([]byte, bindingSize)}
			}
		}
		parts = append(parts, p)
	}
	s.meters = &meters{passing: true}
	var out []Finding
	for i := range parts {
		if b := parts[i].header.Branch; b == BranchMirror && s.Operation&(Read|Observe) == 0 || s.Operation == Manage && b != BranchOwner {
			out = append(out, Finding{
				Part: i, Text: fmt.Sprintf("branch %d", b), Denial: Denial{Reason: ReasonDenied, Frame: partStep * i},
			})
		}
		for k, f := range parts[i].frames[:parts[i].nframes] {
			out = append(out, find(judgement{Situation: &s, parts: parts, part: i, frame: k}, f))
		}
		for k, d := range parts[i].discharges {
			if d.binding != nil {
				out = append(out, find(judgement{Situation: &s, parts: parts, part: i, frame: k, discharge: true}, d.frame))
			}
		}
	}
	return out
}

func find(j judgement, f Frame) Finding {
	out := Finding{Part: j.part, Number: j.frame + 1, Discharge: j.discharge, Text: f.Describe()}
	t, r := j.evaluate(f)
	if r != ReasonNone {
		number := partStep*j.part + j.frame + 1
		if j.discharge {
			number += dischargeStep
		}
		out.Denial = Denial{Reason: r, Frame: number, Constraint: t}
		return out
	}
	spec, err := f.Decode()
	if err != nil {
		return out
	}
	var conditions []string
	for _, l := range spec.Limits {
		switch l.Type {
		case TypeCount:
			conditions = append(conditions, fmt.Sprintf("cell %d is reserved for it, and fewer than %d were let through before", l.Count.Cell, l.Count.N))
		case TypeRate:
			conditions = append(conditions, "the rate allows one just now")
		}
	}
	out.If = strings.Join(conditions, ", and ")
	return out
}

// dischargeFor returns the discharge that a frame demands, if it is there.
func dischargeFor(f Frame, discharges []*Discharge) *Discharge {
	l := f.once()
	for _, d := range discharges {
		if l.hasThirdParty && d.fits(l.thirdParty) {
			return d
		}
	}
	return nil
}

// Demands reports whether a frame of the capability demands the word of guard.
func (c *Capability) Demands(guard *Capability) bool {
	for _, f := range c.Frames {
		if l := f.once(); l.hasThirdParty && l.thirdParty.Guard == guard.Header.Hint && l.thirdParty.GuardNonce == guard.Header.Nonce {
			return true
		}
	}
	return false
}

// Reservation is what a COUNT needs of the verifier: a cell for its chain.
type Reservation struct {
	Frame int // from 1
	Count Count
	ID    Identity
}

// Reservations returns those of all frames. It takes the key of the capability's branch: who has
// only the capability knows the chain of its last frame alone. False: c was not made under that
// key.
func (c *Capability) Reservations(kb BranchKey) ([]Reservation, bool) {
	var list []Reservation
	key := [keySize]byte(kb)
	for i, f := range c.Frames {
		if i == 0 {
			key = headKey(kb, c.Header.encode(), f)
		} else {
			key = frameKey(key, f)
		}
		if l := f.once(); l.hasCount {
			list = append(list, Reservation{i + 1, l.count, Identity(key[:])})
		}
	}
	return list, hmac.Equal(key[:], c.key[:])
}
