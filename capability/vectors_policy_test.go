package capability

import (
	"fmt"
	"testing"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability/program"
	"github.com/edgeistry/edgeistry/coap"
)

// policyCases judge the constraints of the whole policy by themselves: one capability, no session. Counts and rates have none to
// be had there; transcripts show them.
func policyCases() []evaluateCase {
	s := Situation{Target: Target{Operation: Call, Name: "valve"}, Payload: []byte{1}, Hold: 100, Boot: 7, Now: Now{Tick: 1000, Unix: 1_700_000_000}}
	from := s
	from.Peer = testPeer()
	other := from
	other.Peer[31] ^= 1
	peer := testPeer()
	audience := fmt.Sprintf("67 20 %x", peer[:])
	vid := "77 2c fe812c12 d0000001 01020304" + fmt.Sprintf("%064x", 5)
	f := func(frames ...string) []string { return frames }
	var ok Denial
	return []evaluateCase{
		{"count-no-cell", f("52 05 00"), s, notEvaluable(1, TypeCount)},
		{"count-cell-3", f("52 ff 03"), s, notEvaluable(1, TypeCount)},
		{"count-0", f("52 00 00"), s, denied(1, TypeCount)},
		{"count-cell-4", f("52 05 04"), s, denied(1, TypeCount)},
		{"count-short", f("51 05"), s, denied(1, TypeCount)},
		{"count-long", f("53 05 00 00"), s, denied(1, TypeCount)},
		{"count-twice-the-first-decides", f("52 05 00 52 05 01"), s, notEvaluable(1, TypeCount)},
		{"count-behind-grant", f("0e 08 76616c7665 52 05 00"), s, denied(1, TypeCount)},
		{"rate-no-bucket", f("5b 01 0001"), s, notEvaluable(1, TypeRate)},
		{"rate-burst-0", f("5b 00 0001"), s, denied(1, TypeRate)},
		{"rate-period-0", f("5b 01 0000"), s, denied(1, TypeRate)},
		{"rate-short", f("5a 01 00"), s, denied(1, TypeRate)},
		{"rate-long", f("5c 01 0001 00"), s, denied(1, TypeRate)},

		{"audience", f(audience), from, ok},
		{"audience-another", f(audience), other, denied(1, TypeAudience)},
		{"audience-not-known", f(audience), s, notEvaluable(1, TypeAudience)},
		{"audience-of-zeros-not-known", f("67 20" + fmt.Sprintf("%064x", 0)), s, notEvaluable(1, TypeAudience)},
		{"audience-short", f("67 1f" + fmt.Sprintf("%062x", 1)), from, denied(1, TypeAudience)},
		{"audience-long", f("67 21" + fmt.Sprintf("%066x", 1)), from, denied(1, TypeAudience)},
		{"audience-twice", f(audience, audience), from, ok},

		{"depth-0-last", f("69 00"), s, ok},
		{"depth-0-not-last", f("69 00", ""), s, denied(1, TypeDepth)},
		{"depth-1", f("69 01", ""), s, ok},
		{"depth-1-of-2", f("69 01", "", ""), s, denied(1, TypeDepth)},
		{"depth-2-then-0", f("69 02", "69 00", ""), s, denied(2, TypeDepth)},
		{"depth-255", f("69 ff", "", "", ""), s, ok},
		{"depth-short", f("68"), s, denied(1, TypeDepth)},
		{"depth-long", f("6a 0000"), s, denied(1, TypeDepth)},

		{"third-party-no-discharge", f(vid), s, denied(1, TypeThirdParty)},
		{"third-party-in-frame-2", f("", vid), s, denied(2, TypeThirdParty)},
		{"third-party-short", f("77 2b" + fmt.Sprintf("%086x", 5)), s, denied(1, TypeThirdParty)},
		{"third-party-long", f("77 2d" + fmt.Sprintf("%090x", 5)), s, denied(1, TypeThirdParty)},

		{"program-short", f("79 00"), s, denied(1, TypeProgram)},
		{"program-empty", f("78"), s, denied(1, TypeProgram)},

		{"also-alone", f("81 04"), s, denied(1, TypeAlso)},
		{"also-with-nonce-alone", f("85 04 01020304"), s, denied(1, TypeAlso)},
		{"also-branch-16", f("81 10"), s, denied(1, TypeAlso)},
		{"also-empty", f("80"), s, denied(1, TypeAlso)},
		{"also-length-2", f("82 0401"), s, denied(1, TypeAlso)},
		{"also-length-6", f("86 04 0102030405"), s, denied(1, TypeAlso)},
	}
}

func testPeer() edgeistry.PeerKey { return edgeistry.PeerKey(bytesFor("peer", 32)) }

// A program is judged by whoever runs programs; its body here is what the test says it is.
func TestEvaluateProgram(t *testing.T) {
	s := Situation{Target: Target{Operation: Read, Name: "temperature", Query: coap.Query{HasFrom: true, From: 3, HasCount: true, Count: 2}}, Hold: 9, Now: Now{Tick: 5}}
	f := mustFrame(t, FrameSpec{Limits: []Limit{{Type: TypeProgram, Program: []byte{7, 7}}}})
	if got := evaluateAlone(f, &s); got != notEvaluable(1, TypeProgram) {
		t.Errorf("nobody to run it: %+v", got)
	}
	for verdict, want := range map[program.Verdict]Denial{program.Holds: {}, program.Fails: denied(1, TypeProgram), program.Broken: denied(1, TypeProgram)} {
		s.Program = func(body []byte, in *program.Input) program.Verdict {
			if string(body) != "\x07\x07" || in.Operation != uint8(Read) || in.Name != "temperature" || in.First != 3 || in.Last != 4 || in.Hold != 9 || in.Tick != 5 {
				t.Errorf("body %x, input %+v", body, in)
			}
			return verdict
		}
		if got := evaluateAlone(f, &s); got != want {
			t.Errorf("verdict %d: %+v, want %+v", verdict, got, want)
		}
	}
	if _, err := (FrameSpec{Limits: []Limit{{Type: TypeProgram, Program: make([]byte, 47)}}}).Encode(); err == nil {
		t.Error("a program of 47 bytes is encoded")
	}
}

// policyVectors shows the keys of the whole policy, and what stands in texts.
func policyVectors(t *testing.T, v *vectors) {
	ke, r := testKey(), [32]byte(bytesFor("r", 32))
	for _, epoch := range []uint16{2, 0xffff} {
		v.add("ratchet", name("epoch%d", epoch), "ke", ke, "epoch", epoch, "r", r, "next", ke.Next(epoch, r))
	}
	ks, part := [keySize]byte(bytesFor("ks", keySize)), [keySize]byte(bytesFor("part", keySize))
	v.add("join", "two", "ks", ks, "part", part, "joined", joinKey(ks, part))
	for _, sequence := range []uint32{1, 0x01020304} {
		v.add("pad", name("%d", sequence), "ks", ks, "sequence", sequence, "pad", padKey(ks, sequence))
	}
	guard := guardCapability(t)
	c := demanding(t, wide(t, 1), guard)
	demand := c.Frames[1].once().thirdParty
	v.add("thirdparty", "frame2", "k", wide(t, 1).key, "guard_key", guard.key, "frame_nonce", demand.FrameNonce, "vid", demand.VID, "frame", c.Frames[1])
	if demand.mask(wide(t, 1).key) != guard.key {
		t.Error("the mask does not give the guard's key back")
	}
	for _, spec := range []FrameSpec{{}, grantCall(20)} {
		d := discharge(t, guard, spec)
		bound := binding(d.key, ks)
		v.add("discharge", name("%d-bytes", len(d.Frame)), "guard_key", guard.key, "frame", d.Frame, "d", d.key, "ks", ks, "binding", bound,
			"text", d.Text(), "guard", d.Guard, "guard_nonce", d.GuardNonce)
		if again, err := ParseDischarge(d.Text()); err != nil || again.Text() != d.Text() {
			t.Errorf("discharge: %v", err)
		}
	}
	pair := testPair(t)
	v.add("pair", "read", "text", pair.Text(), "carried", pair.Carried(), "k", pair.key,
		"mirror_carried", pair.Mirror().Carried(), "mirror_k", pair.Mirror().key, "service", pair.Service)
	tg := newTagger(ks)
	for _, m := range []*coap.Message{callMessage("valve", 20), readMessage("temperature", "s=1"), {Code: coap.CodeChanged}, {Code: coap.CodeForbidden, Payload: []byte{11, 2, 3}}} {
		direction := byte(directionRequest)
		if m.Code > 0x1f {
			direction = directionAnswer
		}
		plain := appendInner(nil, m)
		v.add("inner", fmt.Sprintf("%x", plain), "ks", ks, "direction", direction, "sequence", uint32(0x01020304), "plain", plain,
			"ciphertext", tg.encrypt(direction, 0x01020304, m))
	}
	carried := testChain(t, 3).Carried()
	var list []byte
	for _, f := range fingerprintsOf(carried) {
		list = append(list, f[:]...)
	}
	v.add("fingerprints", "frames3", "carried", carried, "fingerprints", list)
}

// testPair is a permission to read for the device and for its mirror.
func testPair(t testing.TB) *Capability {
	t.Helper()
	f := mustFrame(t, FrameSpec{Grants: []Grant{{Operations: Read | Observe, Prefix: true}}})
	c, err := MintPair(testService(), testKey().Branch(1, 3, 2), Header{Branch: 3, Epoch: 1, Generation: 2, Nonce: [4]byte{1, 2, 3, 4}}, testKey().Branch(1, BranchMirror, 5), 5, f)
	if err != nil {
		t.Fatal(err)
	}
	c, err = c.extend(mustFrame(t, FrameSpec{Grants: []Grant{{Operations: Read, Name: "temperature"}}}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}
