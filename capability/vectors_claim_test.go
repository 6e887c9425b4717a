package capability

import (
	"bytes"
	"strings"
	"testing"
)

func testSetup() SetupCode {
	return SetupCode{ID: [4]byte{0x11, 0x22, 0x33, 0x44}, Seed: [16]byte(bytesFor("seed", 16))}
}

func tokenVectors(t *testing.T, v *vectors) {
	for n := 1; n <= MaxFrames; n++ {
		c := testChain(t, n)
		v.add("token", name("frames%d", n), "text", c.Text(), "carried", c.Carried(), "k", c.key, "service", c.Service)
	}
	for _, c := range setupCases() {
		_, err := ParseSetupCode(c.text)
		if (err == nil) != c.good {
			t.Errorf("ParseSetupCode(%q): %v, want good = %v", c.text, err, c.good)
		}
		var code SetupCode
		if c.good {
			code = testSetup()
		}
		v.add("setup", c.id, "text", c.text, "good", c.good, "device", code.ID, "seed", code.Seed, "factory_key", testSetup().FactoryKey())
	}
}

type setupCase struct {
	id, text string
	good     bool
}

func setupCases() []setupCase {
	text := testSetup().Text()
	plain := strings.ReplaceAll(text, "-", "")
	last := strings.LastIndexByte("0123456789ABCDEFGHJKMNPQRSTVWXYZ", plain[len(plain)-1])
	return []setupCase{
		{"as-printed", text, true},
		{"lower-case", strings.ToLower(text), true},
		{"no-dashes", plain, true},
		{"spaces", strings.ReplaceAll(text, "-", " "), true},
		{"o-and-l", strings.NewReplacer("0", "o", "1", "l").Replace(strings.TrimPrefix(text, setupPrefix)), false},
		{"o-and-l-with-prefix", setupPrefix + strings.NewReplacer("0", "o", "1", "L").Replace(strings.TrimPrefix(text, setupPrefix)), true},
		{"i", setupPrefix + strings.ReplaceAll(strings.TrimPrefix(text, setupPrefix), "1", "i"), true},
		{"128-characters", text + strings.Repeat("-", 128-len(text)), true},
		{"129-characters", text + strings.Repeat("-", 129-len(text)), false},
		{"empty", "", false},
		{"prefix-only", setupPrefix, false},
		{"short", text[:len(text)-1], false},
		{"long", text + "0", false},
		{"other-prefix", "EDGDEV2" + text[7:], false},
		{"symbol-u", text[:9] + "U" + text[10:], false},
		{"symbol-wrong", changeSymbol(text, 9), false},
		{"last-bits-not-0", text[:len(text)-1] + string("0123456789ABCDEFGHJKMNPQRSTVWXYZ"[last|1]), false},
	}
}

func changeSymbol(text string, at int) string {
	b := []byte(text)
	if b[at]++; b[at] > '9' {
		b[at] = '0'
	}
	return string(b)
}

// claimVectors plays claims against an unclaimed device: a line "claimable", then steps, whose payloads are those of
// POST /k and of the answer. claimed, hint and key are the device's state after the step.
func claimVectors(t *testing.T, v *vectors) {
	hint := testService().Hint()
	device := &Claimable{ID: testSetup().ID, FactoryKey: testSetup().FactoryKey(), Count: 3, Boot: 9, Board: "ATmega328P"}
	v.add("claimable", "claim", "device", device.ID, "factory_key", device.FactoryKey, "count", device.Count, "boot", device.Boot, "board", device.Board)
	now := Now{Tick: 500}
	step := func(id string, payload []byte, want Reason) []byte {
		t.Helper()
		answer, r := device.Answer(payload, now)
		if r != want {
			t.Errorf("claim step %q: reason %d, want %d", id, r, want)
		}
		v.add("step", "claim/"+id, "tick", now.Tick, "payload", payload, "reason", r, "answer", answer,
			"claimed", device.Claimed, "hint", device.Hint, "key", device.Key)
		return answer
	}
	owner, err := testSetup().NewClaim(hint, bytes.NewReader(bytesFor("owner nonce", claimNonce)))
	if err != nil {
		t.Fatal(err)
	}
	first := owner.First()
	step("empty", nil, ReasonMalformed)
	step("first-short", first[:len(first)-1], ReasonMalformed)
	step("first-not-zero", changed(first, len(first)-1, 1), ReasonMalformed)
	step("first-of-kind-3", changed(first, 0, 3), ReasonMalformed)
	step("other-device", changed(first, 4, 0), ReasonEpoch)
	answer := step("first", first, ReasonNone)
	second, err := owner.Second(answer)
	if err != nil {
		t.Fatal(err)
	}
	step("second-short", second[:len(second)-1], ReasonMalformed)
	step("second-other-hint", changed(second, 1, second[1]^1), ReasonTag)
	step("second-other-owner-nonce", changed(second, 5, second[5]^1), ReasonCookie)
	step("second-other-boot", changed(second, 24, second[24]^1), ReasonCookie)
	step("second-other-tick", changed(second, 28, second[28]^1), ReasonCookie)
	step("second-other-mac", changed(second, 36, second[36]^1), ReasonCookie)
	step("second-wrong-confirmation", changed(second, 52, second[52]^1), ReasonTag)
	now.Tick += maxCookieAge + 1
	step("second-too-late", second, ReasonCookie)
	now.Tick = 499
	step("second-too-early", second, ReasonCookie)
	now.Tick = 500 + maxCookieAge
	answer = step("second", second, ReasonNone)
	ke, err := owner.Finish(answer)
	if err != nil {
		t.Fatal(err)
	}
	if ke != device.Key || !device.Claimed || device.Hint != hint {
		t.Errorf("after the claim owner and device differ")
	}
	now.Tick += 10 * maxCookieAge
	if again := step("second-again", second, ReasonNone); !bytes.Equal(again, answer) {
		t.Errorf("second-again = %x, want %x", again, answer)
	}
	step("second-again-wrong", changed(second, 52, second[52]^1), ReasonClaimClosed)
	step("first-again", first, ReasonClaimClosed)
	v.add("end", "claim")
}
