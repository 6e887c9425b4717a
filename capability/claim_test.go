package capability

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func newDevice() *Claimable {
	setup := testSetup()
	return &Claimable{ID: setup.ID, FactoryKey: setup.FactoryKey(), Count: 1, Boot: 2, Board: "posix"}
}

func newOwner(t testing.TB, setup SetupCode) *Claim {
	t.Helper()
	c, err := setup.NewClaim(testService().Hint(), newRandom(9))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClaimGivesTheOwnersCapability(t *testing.T) {
	device, owner := newDevice(), newOwner(t, testSetup())
	answer, r := device.Answer(owner.First(), Now{Tick: 5})
	if r != ReasonNone {
		t.Fatal(r)
	}
	second, err := owner.Second(answer)
	if err != nil {
		t.Fatal(err)
	}
	if owner.Board() != "posix" {
		t.Errorf("Board() = %q", owner.Board())
	}
	if answer, r = device.Answer(second, Now{Tick: 6}); r != ReasonNone {
		t.Fatal(r)
	}
	ke, err := owner.Finish(answer)
	if err != nil {
		t.Fatal(err)
	}
	m := newMeeting(t, func(cfg *GuardConfig) {
		cfg.BranchKey, cfg.CookieKey, cfg.Hint = device.Key.BranchKeys(1), device.Key.CookieKey(scriptBoot), device.Hint
	})
	if v := m.ask(m.session(Owner(testService(), ke, 1)), callMessage("valve", 1)); !v.Tagged || v.Reason != ReasonNone {
		t.Errorf("the owner's first request: %+v", v)
	}
}

func TestClaimAnswersAreNeverLarger(t *testing.T) {
	device, owner := newDevice(), newOwner(t, testSetup())
	device.Board = strings.Repeat("b", 40)
	first, _ := device.Answer(owner.First(), Now{})
	if len(first) > len(owner.First()) {
		t.Errorf("first answer has %d bytes, the question %d", len(first), len(owner.First()))
	}
	second, err := owner.Second(first)
	if err != nil {
		t.Fatal(err)
	}
	if last, _ := device.Answer(second, Now{}); len(last) > len(second) {
		t.Errorf("second answer has %d bytes, the question %d", len(last), len(second))
	}
}

func TestClaimOwnerRefuses(t *testing.T) {
	device := newDevice()
	owner := newOwner(t, testSetup())
	if _, err := owner.Finish(make([]byte, secondAnswer)); err == nil {
		t.Error("finished before it began")
	}
	good, _ := device.Answer(owner.First(), Now{})
	for bit := range 8 * firstAnswer {
		bad := changed(good, bit/8, good[bit/8]^1<<(bit%8))
		if _, err := newOwner(t, testSetup()).Second(bad); err == nil {
			t.Errorf("first answer with bit %d flipped is taken", bit)
		}
	}
	for _, bad := range [][]byte{nil, good[:firstAnswer-1], append(bytes.Clone(good), make([]byte, 40)...), append(good[:firstAnswer:firstAnswer], '\n')} {
		if _, err := owner.Second(bad); err == nil {
			t.Errorf("first answer %x is taken", bad)
		}
	}
	other := testSetup()
	other.Seed[0] ^= 1
	if _, err := newOwner(t, other).Second(good); !errors.Is(err, ErrClaim) {
		t.Errorf("with another seed: %v, want ErrClaim", err)
	}
	second, err := owner.Second(good)
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := device.Answer(second, Now{})
	for bit := range 8 * len(answer) {
		if _, err := owner.Finish(changed(answer, bit/8, answer[bit/8]^1<<(bit%8))); err == nil {
			t.Errorf("second answer with bit %d flipped is taken", bit)
		}
	}
	if _, err := owner.Finish(answer); err != nil {
		t.Error(err)
	}
}

// Every bit of the second message counts, and a refused one changes nothing.
func TestClaimDeviceRefuses(t *testing.T) {
	device, owner := newDevice(), newOwner(t, testSetup())
	answer, _ := device.Answer(owner.First(), Now{})
	second, err := owner.Second(answer)
	if err != nil {
		t.Fatal(err)
	}
	before := *device
	for bit := range 8 * len(second) {
		if _, r := device.Answer(changed(second, bit/8, second[bit/8]^1<<(bit%8)), Now{}); r == ReasonNone {
			t.Fatalf("second message with bit %d flipped is taken", bit)
		}
	}
	if *device != before {
		t.Error("a refused message changed the device")
	}
	reset := *device
	reset.Count++
	if _, r := reset.Answer(second, Now{}); r != ReasonCookie {
		t.Errorf("after a factory reset: %v, want reason 3", r)
	}
	if _, r := device.Answer(second, Now{}); r != ReasonNone {
		t.Errorf("the message itself: %v", r)
	}
}

func TestSetupCode(t *testing.T) {
	c, err := NewSetupCode(newRandom(3))
	if err != nil {
		t.Fatal(err)
	}
	text := c.Text()
	if got, err := ParseSetupCode(text); err != nil || got.ID != c.ID || got.Seed != c.Seed {
		t.Errorf("ParseSetupCode(%q) = %v, %v", text, got, err)
	}
	if !strings.HasPrefix(text, "EDGDEV1-") || len(text) != 7+9*5 {
		t.Errorf("Text() = %q", text)
	}
	if _, err := NewSetupCode(bytes.NewReader(make([]byte, 19))); err == nil {
		t.Error("made without enough entropy")
	}
	for i := range len(text) {
		if text[i] == '-' || i < 7 {
			continue
		}
		for _, symbol := range "0123456789ABCDEFGHJKMNPQRSTVWXYZ" {
			other := text[:i] + string(symbol) + text[i+1:]
			if _, err := ParseSetupCode(other); err == nil && other != text {
				t.Errorf("%q passes for %q", other, text)
			}
		}
	}
}

func TestASetupCodeAsPeopleTypeIt(t *testing.T) {
	c, err := ParseSetupCode("EDGDEV1-0410-6109-103G-C184-0C10-2001-081G-8186-ZNC0")
	if err != nil {
		t.Fatal(err)
	}
	for id, text := range map[string]string{
		"lower case":             "edgdev1-0410-6109-103g-c184-0c10-2001-081g-8186-znc0",
		"I in the prefix":        "EDGDEVI-0410-6109-103G-C184-0C10-2001-081G-8186-ZNC0",
		"l in the prefix":        "edgdevl-0410-6109-103g-c184-0c10-2001-081g-8186-znc0",
		"O, I and L in the code": "EDGDEV1-O4iO-61o9-LO3G-CI84-OCl0-200I-O8LG-8I86-ZNCO",
		"en dashes":              "EDGDEV1\u20130410\u20136109\u2013103G\u2013C184\u20130C10\u20132001\u2013081G\u20138186\u2013ZNC0",
		"other dashes":           "EDGDEV1\u20140410\u20106109\u2011103G\u2212C184\uFE630C10\uFF0D2001-081G\u2012\u00AD8186\u2015ZNC0",
		"tabs":                   "EDGDEV1\t0410\t6109\t103G\tC184\t0C10\t2001\t081G\t8186\tZNC0",
		"lines":                  "EDGDEV1-0410-6109-103G-C184-\r\n0C10-2001-081G-8186-ZNC0\n",
		"spaces that do not break, and those without width": "\uFEFFEDGDEV1\u00A00410\u202F6109\u200B103GC1840C102001081G8186ZNC0",
		"as many dashes as there may be":                    "EDGDEV1" + strings.Repeat("\u2013", maxSetupText-7-36) + "04106109103GC1840C102001081G8186ZNC0",
	} {
		if got, err := ParseSetupCode(text); err != nil || got != c {
			t.Errorf("%s: ParseSetupCode(%q) = %v, %v", id, text, got, err)
		}
	}
	for id, text := range map[string]string{
		"one dash too many":    "EDGDEV1" + strings.Repeat("-", maxSetupText-6-36) + "04106109103GC1840C102001081G8186ZNC0",
		"another version":      "EDGDEV2-0410-6109-103G-C184-0C10-2001-081G-8186-ZNC0",
		"a letter of no ASCII": "EDGDEV1-0410-6109-103G-C184-0C10-2001-081G-8186-\u017FNC0",
		"an underscore":        "EDGDEV1_0410-6109-103G-C184-0C10-2001-081G-8186-ZNC0",
		"no text":              "\xff\xfe",
	} {
		if got, err := ParseSetupCode(text); err == nil {
			t.Errorf("%s: ParseSetupCode(%q) = %v", id, text, got)
		}
	}
}
