package capability

import "testing"

func parseProof(v []byte, mirror bool, maxCarried int) (p proof, r Reason) {
	if r = p.parse(v, mirror); r == ReasonNone && p.carried != nil {
		r = p.decode(new([MaxParts]part), maxCarried)
	}
	return p, r
}

// evaluateAlone judges a frame that is the only one of its capability.
func evaluateAlone(f Frame, s *Situation) Denial { return evaluateFrames([]Frame{f}, s) }

// encodeParts is the opposite of decodeParts.
func encodeParts(t testing.TB, parts []part) []byte {
	t.Helper()
	var b []byte
	for i := range parts {
		p := &parts[i]
		if i > 0 {
			b = append(b, partMark)
		}
		var err error
		if b, err = appendPart(b, p.header, p.frames[:p.nframes]); err != nil {
			t.Fatal(err)
		}
		for k, d := range p.discharges {
			if d.binding != nil {
				b = appendDischarge(b, k+1, d)
			}
		}
	}
	return b
}

func framesAsCarried(t testing.TB, carried []byte) []Frame {
	t.Helper()
	var parts [MaxParts]part
	n, err := decodeParts(carried, &parts)
	if err != nil || n != 1 {
		t.Fatalf("%d parts, %v", n, err)
	}
	return parts[0].frames[:parts[0].nframes]
}

// evaluateFrames judges the frames of one capability in order; every one must admit. See docs/spec/capability.md, Frames.
func evaluateFrames(frames []Frame, s *Situation) Denial {
	if len(frames) > MaxFrames {
		return Denial{Reason: ReasonDenied}
	}
	parts := [1]part{{nframes: len(frames)}}
	copy(parts[0].frames[:], frames)
	return s.judge(parts[:])
}
