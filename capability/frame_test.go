package capability

import (
	"bytes"
	"math"
	"reflect"
	"testing"
)

func TestFrameRoundTrip(t *testing.T) {
	for id, s := range map[string]FrameSpec{
		"empty": {},
		"every limit": {Limits: []Limit{
			{Type: TypeExpiry, Unix: math.MaxUint32},
			{Type: TypeNotBefore},
			{Type: TypeLease, Lease: Lease{1, 2}},
			{Type: TypeHold, Hold: 255},
			{Type: TypeSalt, Salt: [4]byte{1, 2, 3, 4}},
			{Type: TypeSequence, Sequence: Sequence{1, 1}},
		}},
		"bounds": {Limits: []Limit{
			{Type: TypeBound, Bound: Bound{Offset: 255, Width: 1, Max: 255}},
			{Type: TypeBound, Bound: Bound{Width: 2, Signed: true, Min: -32768, Max: 32767}},
			{Type: TypeBound, Bound: Bound{Width: 4, LittleEndian: true, Min: 1, Max: math.MaxUint32}},
			{Type: TypeBound, Bound: Bound{Width: 4, Signed: true, LittleEndian: true, Min: math.MinInt32, Max: -1}},
		}},
		"grants with parts in their order": {
			Limits: []Limit{{Type: TypeSalt}},
			Grants: []Grant{
				{Operations: Read | Observe, Name: "t", Parts: []Limit{
					{Type: TypeSequence, Sequence: Sequence{1, 9}},
					{Type: TypeBound, Bound: Bound{Width: 1}},
				}},
				{Operations: Call, Prefix: true, Parts: []Limit{
					{Type: TypeBound, Bound: Bound{Width: 1}},
					{Type: TypeSequence, Sequence: Sequence{0, 0}},
				}},
			},
		},
		"unknown types": {Limits: []Limit{{Type: 17, Raw: []byte{1}}, {Type: 31, Raw: []byte("seven bytes or more")}}},
	} {
		t.Run(id, func(t *testing.T) {
			f := mustFrame(t, s)
			got, err := f.Decode()
			if err != nil || !reflect.DeepEqual(got, s) {
				t.Errorf("Decode(%x) = %+v, %v, want %+v", f, got, err, s)
			}
		})
	}
}

func TestFrameEncodeRefuses(t *testing.T) {
	bound := func(b Bound) FrameSpec { return FrameSpec{Limits: []Limit{{Type: TypeBound, Bound: b}}} }
	for id, s := range map[string]FrameSpec{
		"width 3":           bound(Bound{Width: 3}),
		"width 0":           bound(Bound{}),
		"min above max":     bound(Bound{Width: 1, Min: 2, Max: 1}),
		"max above field":   bound(Bound{Width: 1, Max: 256}),
		"negative unsigned": bound(Bound{Width: 2, Min: -1}),
		"below signed":      bound(Bound{Width: 1, Signed: true, Min: -129}),
		"from above to":     {Limits: []Limit{{Type: TypeSequence, Sequence: Sequence{2, 1}}}},
		"grant as limit":    {Limits: []Limit{{Type: TypeGrant}}},
		"type 0":            {Limits: []Limit{{}}},
		"type 32":           {Limits: []Limit{{Type: 32}}},
		"reserved bits":     {Grants: []Grant{{Operations: 64}}},
		"name of 32":        {Grants: []Grant{{Operations: Read, Name: long31 + "x"}}},
		"expiry in a grant": {Grants: []Grant{{Operations: Read, Parts: []Limit{{Type: TypeExpiry}}}}},
		"49 bytes":          {Limits: []Limit{{Type: 31, Raw: make([]byte, 47)}}},
	} {
		if f, err := s.Encode(); err == nil {
			t.Errorf("%s: Encode = %x", id, f)
		}
	}
}

// Frames that the evaluation calls malformed cannot be decoded either, and the other way round.
func TestDecodeFrameAgreesWithEvaluate(t *testing.T) {
	s := Situation{Target: Target{Operation: Read, Name: "x"}}
	random := newRandom(1)
	malformed, formed := 0, 0
	for range 60_000 {
		f := random.frame()
		spec, err := f.Decode()
		if err != nil {
			malformed++
			if d := evaluateAlone(f, &s); d.Reason == ReasonNone {
				t.Fatalf("%x: %v, and it admits", f, err)
			}
			continue
		}
		formed++
		again, err := spec.Encode()
		if err != nil || !bytes.Equal(again, f) {
			t.Fatalf("%x encodes to %x, %v", f, again, err)
		}
	}
	if malformed < 1000 || formed < 1000 {
		t.Errorf("%d malformed and %d good frames: too few of one kind to show anything", malformed, formed)
	}
}

func TestCarriedRoundTrip(t *testing.T) {
	h := Header{Branch: 15, Hint: [4]byte{1, 2, 3, 4}, Epoch: 0x0506, Generation: 7, Nonce: [4]byte{8, 9, 10, 11}}
	frames := []Frame{{}, {0x49}, bytes.Repeat([]byte{1}, maxFrame)}
	b, err := appendPart(nil, h, frames)
	if err != nil {
		t.Fatal(err)
	}
	if want := unhex(t, "1f 01020304 0506 07 08090a0b"); !bytes.Equal(b[:headerSize], want) {
		t.Errorf("header = %x, want %x", b[:headerSize], want)
	}
	var p part
	rest, err := p.decode(b)
	if err != nil || len(rest) != 0 || p.header != h || !reflect.DeepEqual(p.frames[:p.nframes], frames) {
		t.Errorf("decode: %+v, %x, %v", p.header, p.frames, err)
	}
	var parts [MaxParts]part
	for n := range b {
		if _, err := decodeParts(b[:n], &parts); err == nil && n != 13 && n != 15 {
			t.Errorf("cut to %d bytes it is taken", n)
		}
	}
}
