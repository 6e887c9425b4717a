package capability

import (
	"flag"
	"fmt"
	"testing"

	"github.com/edgeistry/edgeistry/capability/program"
	"github.com/edgeistry/edgeistry/coap"
)

var propertyRuns = flag.Int("property-runs", 20_000, "chains that TestChildIsSubset makes")

// What a child allows its parent allows: whatever the frames say, in whatever situation, with several capabilities together, with
// discharges, counts and rates. Frames and situations are random, the situations near the bounds that the frames have.
func TestChildIsSubset(t *testing.T) {
	r := newRandom(11)
	var narrowed, both, neither int
	seen := map[ConstraintType][2]int{}
	for i := range *propertyRuns {
		parent := r.parts()
		at := r.IntN(len(parent))
		child := append([]part(nil), parent...)
		p := &child[at]
		if p.nframes == MaxFrames {
			continue
		}
		p.frames[p.nframes] = r.frame()
		p.nframes++
		if l := p.frames[p.nframes-1].once(); l.hasThirdParty && r.IntN(2) == 0 {
			p.discharges[p.nframes-1] = boundDischarge{frame: r.frame(), binding: make([]byte, bindingSize)}
		}
		s := r.near(child)
		m := r.metersFor(child, &s)
		s.meters = m
		wide, narrow := s.judge(parent), s.judge(child)
		switch {
		case narrow.Reason == ReasonNone && wide.Reason != ReasonNone:
			t.Fatalf("chain %d: the child admits what its parent denies (%+v): %+v\nparent %s\nchild  %s", i, wide, s, partsText(parent), partsText(child))
		case narrow.Reason == ReasonNone:
			both++
			for _, c := range typesOf(child) {
				seen[c] = [2]int{seen[c][0] + 1, seen[c][1]}
			}
		case wide.Reason == ReasonNone:
			narrowed++
			seen[narrow.Constraint] = [2]int{seen[narrow.Constraint][0], seen[narrow.Constraint][1] + 1}
		default:
			neither++
		}
	}
	t.Logf("%d narrowed, %d admitted by both, %d by neither; per type admitted, narrowed: %v", narrowed, both, neither, seen)
	least := *propertyRuns / 2000
	for c := TypeGrant; c <= lastKnownType; c++ {
		if n := seen[c]; c != TypeGrantPrefix && c != TypeSalt && (n[0] < least || n[1] < least) {
			t.Errorf("%v: in %d admitted frames, and narrowed %d times: too few to show anything", c, n[0], n[1])
		}
	}
}

func partsText(parts []part) string {
	var text string
	for i := range parts {
		p := &parts[i]
		text += fmt.Sprintf(" branch %d", p.header.Branch)
		for k, f := range p.frames[:p.nframes] {
			text += fmt.Sprintf(" [%x: %s]", f, f.Describe())
			if d := p.discharges[k]; d.binding != nil {
				text += fmt.Sprintf(" discharge [%x: %s]", d.frame, d.frame.Describe())
			}
		}
	}
	return text
}

func typesOf(parts []part) []ConstraintType {
	var list []ConstraintType
	for i := range parts {
		for _, f := range parts[i].frames[:parts[i].nframes] {
			s, err := f.Decode()
			if err != nil {
				continue
			}
			for _, l := range s.Limits {
				list = append(list, l.Type)
			}
			for _, g := range s.Grants {
				list = append(list, TypeGrant)
				for _, l := range g.Parts {
					list = append(list, l.Type)
				}
			}
		}
	}
	return list
}

// parts returns 1 or 2 capabilities of 1 to 3 frames, mostly with the discharges that they demand.
func (r random) parts() []part {
	parts := make([]part, 1+min(r.IntN(3), 1))
	for i := range parts {
		p := &parts[i]
		p.header = Header{Branch: uint8(3 + i), Nonce: [4]byte{byte(r.IntN(2))}}
		p.nframes = 1 + r.IntN(2)
		for k := range p.nframes {
			if r.IntN(3) > 0 {
				p.frames[k] = r.frame()
			}
			if l := p.frames[k].once(); l.hasThirdParty && r.IntN(4) > 0 {
				var f Frame
				if r.IntN(2) == 0 {
					f = r.frame()
				}
				p.discharges[k] = boundDischarge{frame: f, binding: make([]byte, bindingSize)}
			}
		}
	}
	return parts
}

// near returns a situation at the bounds that the frames have, or one beside them.
func (r random) near(parts []part) Situation {
	s := r.situation()
	s.Program = func(body []byte, in *program.Input) program.Verdict { return program.Verdict(body[0] % 3) }
	for i := range parts {
		for k := range parts[i].nframes {
			r.toward(&s, parts[i].frames[k])
			r.toward(&s, parts[i].discharges[k].frame)
		}
	}
	return s
}

func (r random) toward(s *Situation, f Frame) {
	spec, err := f.Decode()
	if err != nil {
		return
	}
	limits := spec.Limits
	if len(spec.Grants) > 0 {
		g := spec.Grants[r.IntN(len(spec.Grants))]
		if ops := uint8(g.Operations); ops != 0 && r.IntN(4) > 0 {
			for s.Operation = 1 << r.IntN(6); uint8(s.Operation)&ops == 0; {
				s.Operation = 1 << r.IntN(6)
			}
			s.Name = g.Name
			if r.IntN(4) == 0 {
				s.Name += "x"
			}
		}
		limits = append(limits, g.Parts...)
	}
	beside := func() uint32 { return uint32(r.IntN(4)) - 1 } // -1, 0, 1, 2
	for _, l := range limits {
		if r.IntN(5) == 0 {
			continue
		}
		switch l.Type {
		case TypeBound:
			if s.Operation&(Append|Call) == 0 {
				s.Operation = Call
			}
			n := []int64{l.Bound.Min - 1, l.Bound.Min, l.Bound.Max, l.Bound.Max, l.Bound.Max + 1}[r.IntN(5)]
			s.Payload = make([]byte, int(l.Bound.Offset)+int(l.Bound.Width))
			for b := range int(l.Bound.Width) {
				at := int(l.Bound.Offset) + b
				shift := 8 * (int(l.Bound.Width) - 1 - b)
				if l.Bound.LittleEndian {
					shift = 8 * b
				}
				s.Payload[at] = byte(uint64(n) >> shift)
			}
		case TypeSequence:
			if s.Operation&(Read|Observe) == 0 {
				s.Operation = Read
			}
			from := max(1, l.Sequence.From+beside()+1)
			s.Query = coap.Query{HasFrom: true, From: from, HasCount: true, Count: uint8(max(1, min(255, int64(l.Sequence.To)-int64(from)+1+int64(r.IntN(3)-1))))}
		case TypeExpiry, TypeNotBefore:
			s.Now.Unix = l.Unix + beside()
		case TypeLease:
			s.Boot, s.Now.Tick = l.Lease.Boot, l.Lease.Tick+beside()
		case TypeHold:
			s.Hold = l.Hold + uint8(beside())
		case TypeAudience:
			s.Peer = l.Audience
		}
	}
}

// metersFor assigns cells and buckets to the counts and rates of the frames: mostly, with few left.
func (r random) metersFor(parts []part, s *Situation) *meters {
	counters := &MemoryCounters{}
	g := &Guard{cfg: GuardConfig{Counters: counters}, buckets: buckets{list: make([]bucket, MaxParts*MaxFrames)}}
	m := &meters{guard: g, any: true}
	for i := range parts {
		for k, f := range parts[i].frames[:parts[i].nframes] {
			l, index := f.once(), frameIndex(i, k)
			if l.hasCount && r.IntN(8) > 0 {
				m.cells[l.count.Cell] = uint8(index + 1)
				counters.cells[l.count.Cell].used = l.count.N - uint8(r.IntN(2))
			}
			if l.hasRate && r.IntN(8) > 0 {
				g.buckets.list[index] = bucket{inUse: true, tokens: uint8(r.IntN(3)), since: s.Now.Tick}
				m.buckets[index] = uint8(index + 1)
			}
		}
	}
	return m
}

// Of what a caller shows when it opens a session with several capabilities and discharges, every bit counts: flipped, nothing is
// admitted; and no part, frame or discharge can be left out, doubled or put elsewhere.
func TestMutatedOpen(t *testing.T) {
	guard := guardCapability(t)
	word := discharge(t, guard, grantCall(20))
	c := demanding(t, wide(t, 1), guard)
	pass := branchCapability(t, 4, 0, 7, grantCall(30))
	m := newMeeting(t, func(cfg *GuardConfig) { cfg.Generations[3] = 2 })
	hello, err := c.NewHello(newRandom(1))
	if err != nil {
		t.Fatal(err)
	}
	hello.Also, hello.Discharges = []*Capability{pass}, []*Discharge{word}
	s, err := hello.Open(m.do(hello.Message()).Payload, m.now)
	if err != nil {
		t.Fatal(err)
	}
	req := callMessage("valve", 20)
	p, err := s.Protect(req, 0, m.now)
	if err != nil {
		t.Fatal(err)
	}
	value, _ := req.Get(coap.OptionRequest)
	refused := func(what string, changed []byte) {
		t.Helper()
		bad := req.Clone()
		bad.Set(coap.OptionRequest, changed)
		if a, resp := m.g.Check(bad, m.verifierNow()); a != nil {
			t.Fatalf("%s is admitted: %x", what, changed)
		} else if _, tagged := resp.Get(coap.OptionResponse); tagged {
			t.Fatalf("%s gets a tagged answer: %x", what, resp.Payload)
		}
	}
	for bit := range 8 * len(value) {
		changed := append([]byte(nil), value...)
		changed[bit/8] ^= 1 << (bit % 8)
		refused(fmt.Sprintf("bit %d flipped", bit), changed)
	}
	for n := range value {
		refused(fmt.Sprintf("cut to %d", n), value[:n])
		refused(fmt.Sprintf("byte %d doubled", n), append(append(append([]byte(nil), value[:n]...), value[n]), value[n:]...))
		refused(fmt.Sprintf("byte %d left out", n), append(append([]byte(nil), value[:n]...), value[n+1:]...))
	}
	var parts [MaxParts]part
	n, err := decodeParts(s.carried, &parts)
	if err != nil || n != 2 {
		t.Fatal(n, err)
	}
	again := func(what string, list ...part) {
		t.Helper()
		carried := encodeParts(t, list)
		changed := appendOpen(nil, 0, s.nonce, s.cookie, 1, 100, carried)
		copy(changed[len(changed)-openTagSize:], value[len(value)-openTagSize:])
		refused(what, changed)
	}
	without := parts[0]
	without.discharges = [MaxFrames]boundDischarge{}
	less := parts[0]
	less.nframes--
	less.discharges = [MaxFrames]boundDischarge{}
	again("the second part left out", parts[0])
	again("the first part left out", parts[1])
	again("the parts the other way round", parts[1], parts[0])
	again("the discharge left out", without, parts[1])
	again("the last frame left out", less, parts[1])
	moved := parts[1]
	moved.discharges[1] = parts[0].discharges[1]
	again("the discharge at the other part", without, moved)
	if v, err := s.Verify(p, m.do(req), m.now); err != nil || v.Reason != ReasonNone || m.runs != 1 {
		t.Errorf("the request itself: %+v, %v, ran %d times", v, err, m.runs)
	}
}
