package capability

import "testing"

// What a chain denies, no attenuation of it admits. The chains are random, built with Attenuate and judged from
// the carried form, as a verifier does.
func TestChildAllowsNoMoreThanParent(t *testing.T) {
	r := newRandom(2)
	var narrowed, both, denied int
	for range 5_000 {
		parent := Owner(testService(), testKey(), 1)
		child := parent
		for range 1 + r.IntN(3) {
			next, err := child.Attenuate(r, r.spec())
			if err != nil {
				break // more than a frame holds
			}
			parent, child = child, next
		}
		for range 20 {
			s := r.situation()
			up, down := judge(t, parent, &s), judge(t, child, &s)
			switch {
			case down && !up:
				t.Fatalf("%+v is denied by %q and admitted by its child %q", s, parent.Describe(), child.Describe())
			case up && down:
				both++
			case up:
				narrowed++
			default:
				denied++
			}
		}
	}
	if narrowed < 1000 || both < 1000 || denied < 1000 {
		t.Errorf("narrowed %d, both admit %d, both deny %d: too few of one kind to show anything", narrowed, both, denied)
	}
}

func judge(t *testing.T, c *Capability, s *Situation) bool {
	t.Helper()
	return evaluateFrames(framesAsCarried(t, c.Carried()), s).Reason == ReasonNone
}

// A grant with a part added admits no more, and a grant more admits no less.
func TestGrantsAreMonotone(t *testing.T) {
	r := newRandom(3)
	changed := 0
	for range 40_000 {
		s, situation := r.spec(), r.situation()
		if len(s.Grants) == 0 {
			continue
		}
		f, err := s.Encode()
		if err != nil {
			continue
		}
		before := evaluateFrames([]Frame{f}, &situation).Reason == ReasonNone
		more := FrameSpec{Limits: s.Limits, Grants: append(s.Grants[:len(s.Grants):len(s.Grants)], r.grantOnly())}
		if f, err = more.Encode(); err != nil {
			continue
		}
		after := evaluateFrames([]Frame{f}, &situation).Reason == ReasonNone
		if before && !after {
			t.Fatalf("%+v admits and %+v does not", s, more)
		}
		if before != after {
			changed++
		}
	}
	if changed == 0 {
		t.Error("no grant changed anything: this shows nothing")
	}
}

func (r random) grantOnly() Grant {
	return Grant{Operations: Operations(r.IntN(64)), Name: r.name(), Prefix: r.IntN(2) == 0}
}
