package capability

import (
	"fmt"
	"testing"

	"github.com/edgeistry/edgeistry/coap"
)

// evaluateCase judges frames; the expected reason, frame and type are written here by hand.
type evaluateCase struct {
	id     string
	frames []string // hex
	s      Situation
	want   Denial
}

func denied(frame int, t ConstraintType) Denial {
	return Denial{Reason: ReasonDenied, Frame: frame, Constraint: t}
}

func noClock(frame int, t ConstraintType) Denial {
	return Denial{Reason: ReasonNotEvaluable, Frame: frame, Constraint: t}
}

func evaluateCases() []evaluateCase {
	target := func(op Operations, name string) Situation {
		return Situation{Target: Target{Operation: op, Name: name}, Hold: 100, Boot: 7, Now: Now{Tick: 1000, Unix: 1_700_000_000}}
	}
	call := func(payload ...byte) Situation {
		s := target(Call, "valve")
		s.Payload = payload
		return s
	}
	read := func(from uint32, count uint8) Situation {
		s := target(Read, "temperature")
		s.Query = coap.Query{HasFrom: true, From: from, HasCount: count > 0, Count: count}
		return s
	}
	after := target(Read, "temperature")
	after.Query.HasAfter = true
	unknown := target(Read, "temperature")
	unknown.Now.Unix = 0
	observeRange := read(5, 1)
	observeRange.Operation = Observe
	appendRange := read(5, 1)
	appendRange.Operation = Append
	const (
		grantRead   = "0f 0c 01 74656d7065726174757265" // GRANT read temperature
		grantValve  = "0e 08 76616c7665"                // GRANT call valve
		bound30     = "1c 00 00 00 1e"                  // BOUND byte 0 in 0..30
		sequence110 = "27 08 00000001 0000000a"         // SEQ 1..10
	)
	f := func(frames ...string) []string { return frames }
	var ok Denial
	return []evaluateCase{
		{"empty-frame", f(""), call(1), ok},
		{"four-empty-frames", f("", "", "", ""), call(1), ok},
		{"salt", f("4c 01020304"), call(1), ok},
		{"salt-short", f("4b 010203"), call(1), denied(1, TypeSalt)},
		{"salt-long", f("4d 0102030405"), call(1), denied(1, TypeSalt)},
		{"invalid-type", f("00"), call(1), denied(1, typeInvalid)},
		{"invalid-type-with-value", f("01 00"), call(1), denied(1, typeInvalid)},

		{"grant", f(grantRead), target(Read, "temperature"), ok},
		{"grant-other-name", f(grantRead), target(Read, "temperatur"), denied(1, TypeGrant)},
		{"grant-longer-name", f(grantRead), target(Read, "temperature2"), denied(1, TypeGrant)},
		{"grant-other-operation", f(grantRead), target(Observe, "temperature"), denied(1, TypeGrant)},
		{"grant-two-operations", f("0f 0c 03 74656d7065726174757265"), target(Observe, "temperature"), ok},
		{"grant-no-operation", f("0f 0c 00 74656d7065726174757265"), target(Read, "temperature"), denied(1, TypeGrant)},
		{"grant-reserved-bit-6", f("0f 0c 41 74656d7065726174757265"), target(Read, "temperature"), denied(1, TypeGrant)},
		{"grant-reserved-bit-7", f("0f 0c 81 74656d7065726174757265"), target(Read, "temperature"), denied(1, TypeGrant)},
		{"grant-empty", f("08"), target(Read, "temperature"), denied(1, TypeGrant)},
		{"grant-empty-name-is-exact", f("09 3f"), target(Read, "temperature"), denied(1, TypeGrant)},
		{"grant-time", f("09 20"), target(Time, ""), ok},
		{"grant-manage", f("09 10"), target(Manage, ""), ok},
		{"grant-name-31", f("0f 20 01" + fmt.Sprintf("%x", long31)), target(Read, long31), ok},
		{"grant-name-32", f("0f 21 01" + fmt.Sprintf("%x", long31+"x")), target(Read, long31+"x"), denied(1, TypeGrant)},
		{"grant-second-admits", f(grantRead + grantValve), call(1), ok},
		{"grant-first-admits", f(grantRead + grantValve), target(Read, "temperature"), ok},
		{"grant-none-admits", f(grantRead + grantValve), target(Read, "events"), denied(1, TypeGrant)},
		{"prefix", f("14 01 746d70"), target(Read, "tmp1"), ok},
		{"prefix-equal", f("14 01 746d70"), target(Read, "tmp"), ok},
		{"prefix-shorter", f("14 01 746d70"), target(Read, "tm"), denied(1, TypeGrant)},
		{"prefix-other", f("14 01 746d70"), target(Read, "tnp1"), denied(1, TypeGrant)},
		{"prefix-empty-is-all", f("11 01"), target(Read, "events"), ok},
		{"prefix-other-operation", f("11 01"), call(1), denied(1, TypeGrant)},
		{"prefix-reserved-bit", f("11 41"), target(Read, "events"), denied(1, TypeGrantPrefix)},
		{"prefix-no-value", f("10"), target(Read, "events"), denied(1, TypeGrantPrefix)},

		{"bound", f(bound30), call(30), ok},
		{"bound-low", f("1c 00 00 0a 1e"), call(9), denied(1, TypeBound)},
		{"bound-high", f(bound30), call(31), denied(1, TypeBound)},
		{"bound-no-payload", f(bound30), call(), denied(1, TypeBound)},
		{"bound-offset", f("1c 02 00 00 1e"), call(99, 99, 30), ok},
		{"bound-offset-short", f("1c 02 00 00 1e"), call(1, 1), denied(1, TypeBound)},
		{"bound-offset-255", f("1c ff 00 00 1e"), call(1, 1), denied(1, TypeBound)},
		{"bound-u16", f("1e 00 01 0100 0200"), call(0x01, 0xff), ok},
		{"bound-u16-high", f("1e 00 01 0100 0200"), call(0x02, 0x01), denied(1, TypeBound)},
		{"bound-u16-le", f("1e 00 09 0100 0200"), call(0xff, 0x01), ok},
		{"bound-u16-le-high", f("1e 00 09 0100 0200"), call(0x01, 0x02), denied(1, TypeBound)},
		{"bound-u16-short", f("1e 00 01 0100 0200"), call(0x01), denied(1, TypeBound)},
		{"bound-u32", f("1f 0a 00 02 00000000 ffffffff"), call(0xff, 0xff, 0xff, 0xff), ok},
		{"bound-u32-high", f("1f 0a 00 02 00000000 fffffffe"), call(0xff, 0xff, 0xff, 0xff), denied(1, TypeBound)},
		{"bound-i8", f("1c 00 04 f6 0a"), call(0xf6), ok},
		{"bound-i8-low", f("1c 00 04 f6 0a"), call(0xf5), denied(1, TypeBound)},
		{"bound-i16-le", f("1e 00 0d ff00 0000"), call(0x00, 0xff), ok},
		{"bound-i16-le-high", f("1e 00 0d ff00 0000"), call(0x01, 0x00), denied(1, TypeBound)},
		{"bound-i32", f("1f 0a 00 06 80000000 ffffffff"), call(0x80, 0, 0, 0), ok},
		{"bound-i32-high", f("1f 0a 00 06 80000000 ffffffff"), call(0, 0, 0, 0), denied(1, TypeBound)},
		{"bound-append", f(bound30), func() Situation { s := call(3); s.Operation = Append; return s }(), ok},
		{"bound-read", f(bound30), func() Situation { s := call(3); s.Operation = Read; return s }(), denied(1, TypeBound)},
		{"bound-time", f(bound30), func() Situation { s := call(3); s.Operation = Time; return s }(), denied(1, TypeBound)},
		{"bound-width-3", f("1c 00 03 00 1e"), call(3), denied(1, TypeBound)},
		{"bound-format-bit-4", f("1c 00 10 00 1e"), call(3), denied(1, TypeBound)},
		{"bound-min-above-max", f("1c 00 00 1e 00"), call(30), denied(1, TypeBound)},
		{"bound-signed-min-above-max", f("1c 00 04 0a f6"), call(0), denied(1, TypeBound)},
		{"bound-length", f("1d 00 00 00 1e 00"), call(3), denied(1, TypeBound)},
		{"bound-length-of-other-width", f("1c 00 01 00 1e"), call(3), denied(1, TypeBound)},
		{"bound-empty", f("18"), call(3), denied(1, TypeBound)},

		{"sequence", f(sequence110), read(1, 10), ok},
		{"sequence-inside", f(sequence110), read(5, 1), ok},
		{"sequence-beyond", f(sequence110), read(5, 7), denied(1, TypeSequence)},
		{"sequence-below", f("27 08 00000002 0000000a"), read(1, 1), denied(1, TypeSequence)},
		{"sequence-no-count", f(sequence110), read(1, 0), denied(1, TypeSequence)},
		{"sequence-no-count-is-255", f("27 08 00000001 000000ff"), read(1, 0), ok},
		{"sequence-head", f(sequence110), target(Read, "temperature"), denied(1, TypeSequence)},
		{"sequence-after", f(sequence110), after, denied(1, TypeSequence)},
		{"sequence-observe", f(sequence110), observeRange, ok},
		{"sequence-append", f(sequence110), appendRange, denied(1, TypeSequence)},
		{"sequence-wraps", f("27 08 00000001 fffffffe"), read(0xfffffff0, 255), denied(1, TypeSequence)},
		{"sequence-saturates", f("27 08 00000001 ffffffff"), read(0xfffffff0, 255), ok},
		{"sequence-from-above-to", f("27 08 0000000a 00000001"), read(5, 1), denied(1, TypeSequence)},
		{"sequence-length", f("27 07 00000001 000000"), read(5, 1), denied(1, TypeSequence)},

		{"expiry-before", f("2c 6553f101"), call(1), ok},
		{"expiry-at", f("2c 6553f100"), call(1), denied(1, TypeExpiry)},
		{"expiry-no-clock", f("2c ffffffff"), unknown, noClock(1, TypeExpiry)},
		{"expiry-length", f("2d 6553f10100"), call(1), denied(1, TypeExpiry)},
		{"expiry-length-no-clock", f("2b 6553f1"), unknown, denied(1, TypeExpiry)},
		{"not-before-at", f("34 6553f100"), call(1), ok},
		{"not-before-early", f("34 6553f101"), call(1), denied(1, TypeNotBefore)},
		{"not-before-no-clock", f("34 00000000"), unknown, noClock(1, TypeNotBefore)},
		{"lease", f("3f 08 00000007 000003e8"), call(1), ok},
		{"lease-over", f("3f 08 00000007 000003e7"), call(1), denied(1, TypeLease)},
		{"lease-other-boot", f("3f 08 00000008 ffffffff"), call(1), denied(1, TypeLease)},
		{"lease-no-clock", f("3f 08 00000007 ffffffff"), unknown, ok},
		{"lease-length", f("3f 09 00000007 ffffffff 00"), call(1), denied(1, TypeLease)},
		{"hold", f("41 64"), call(1), ok},
		{"hold-longer", f("41 63"), call(1), denied(1, TypeHold)},
		{"hold-read", f("41 63"), target(Read, "temperature"), denied(1, TypeHold)},
		{"hold-length", f("42 6400"), call(1), denied(1, TypeHold)},

		{"unknown-17", f("88"), call(1), denied(1, 17)},
		{"unknown-31", f("f8"), call(1), denied(1, 31)},

		{"not-shortest", f("0f 06 08 76616c7665"), call(1), denied(1, TypeGrant)},
		{"not-shortest-0", f("4f 00"), call(1), denied(1, TypeSalt)},
		{"long-form-without-length", f("0f"), call(1), denied(1, TypeGrant)},
		{"value-beyond-frame", f("4c 010203"), call(1), denied(1, TypeSalt)},
		{"long-value-beyond-frame", f("0f 0c 01 74656d70657261747572"), target(Read, "temperature"), denied(1, TypeGrant)},
		{"malformed-behind-good", f("4c 01020304 00"), call(1), denied(1, typeInvalid)},
		{"malformed-behind-admitting-grant", f(grantValve + "4f"), call(1), denied(1, TypeSalt)},
		{"limit-behind-grant", f(grantValve + "4c 01020304"), call(1), denied(1, TypeSalt)},
		{"expiry-behind-grant", f(grantValve + "2c ffffffff"), call(1), denied(1, TypeExpiry)},
		{"expiry-behind-grant-no-clock", f(grantRead + "2c ffffffff"), unknown, denied(1, TypeExpiry)},
		{"unknown-behind-grant", f(grantValve + "88"), call(1), denied(1, 17)},

		{"part-holds", f(grantValve + bound30), call(30), ok},
		{"part-fails", f(grantValve + bound30), call(31), denied(1, TypeBound)},
		{"part-of-other-grant", f(grantRead + grantValve + bound30), target(Read, "temperature"), ok},
		{"part-narrows-its-grant-only", f(grantRead + bound30 + grantValve), call(99), ok},
		{"parts-last-failing-decides", f(grantRead + bound30 + sequence110), read(5, 7), denied(1, TypeSequence)},
		{"parts-one-fails", f(grantRead + bound30 + sequence110), read(5, 1), denied(1, TypeBound)},
		{"part-of-unmatched-grant-is-not-told", f(grantValve + bound30 + grantRead), target(Read, "events"), denied(1, TypeGrant)},
		{"part-malformed-in-unmatched-grant", f(grantRead + "1c 00 00 1e 00" + grantValve), call(1), denied(1, TypeBound)},
		{"same-grant-twice", f(grantValve + bound30 + grantValve + "1c 00 00 32 3c"), call(55), ok},
		{"same-grant-twice-neither", f(grantValve + bound30 + grantValve + "1c 00 00 32 3c"), call(40), denied(1, TypeBound)},
		{"limit-before-grants", f(bound30 + grantValve), call(31), denied(1, TypeBound)},

		{"second-frame", f(grantValve, bound30), call(31), denied(2, TypeBound)},
		{"first-frame-decides", f(grantRead, bound30), call(31), denied(1, TypeGrant)},
		{"fourth-frame", f("", grantValve, bound30, "41 0a"), call(30), denied(4, TypeHold)},
		{"all-four", f("", grantValve, bound30, "41 64"), call(30), ok},
		{"limits-in-order", f("41 0a 2c 00000001"), call(30), denied(1, TypeHold)},
		{"wider-child-gains-nothing", f(grantValve+bound30, "0e 08 76616c7665 1c 00 00 00 ff"), call(90), denied(1, TypeBound)},
	}
}

const long31 = "abcdefghijklmnopqrstuvwxyz01234"

func TestEvaluate(t *testing.T) {
	for _, c := range append(evaluateCases(), policyCases()...) {
		t.Run(c.id, func(t *testing.T) {
			if got := evaluateFrames(framesOf(t, c.frames), &c.s); got != c.want {
				t.Errorf("evaluateFrames(%q) = %+v, want %+v", c.frames, got, c.want)
			}
		})
	}
}

func framesOf(t testing.TB, texts []string) []Frame {
	frames := make([]Frame, 0, len(texts))
	for _, text := range texts {
		frames = append(frames, unhex(t, text))
	}
	return frames
}

func evaluateVectors(t *testing.T, v *vectors) {
	for _, c := range append(evaluateCases(), policyCases()...) {
		frames := framesOf(t, c.frames)
		got := evaluateFrames(frames, &c.s)
		var list []byte
		for _, f := range frames {
			list = append(append(list, byte(len(f))), f...)
		}
		from, to, named := c.s.entries()
		v.add("evaluate", c.id, "frames", list, "operation", c.s.Operation, "name", c.s.Name, "named", named, "from", from, "to", to,
			"payload", c.s.Payload, "hold", c.s.Hold, "boot", c.s.Boot, "tick", c.s.Now.Tick, "unix", c.s.Now.Unix, "peer", c.s.Peer,
			"reason", got.Reason, "frame", uint8(got.Frame), "type", got.Constraint)
	}
}
