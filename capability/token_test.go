package capability

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
)

func TestTokenRoundTrip(t *testing.T) {
	for n := 1; n <= MaxFrames; n++ {
		c := testChain(t, n)
		got, err := Parse(c.Text())
		if err != nil {
			t.Fatalf("%d frames: %v", n, err)
		}
		if got.Text() != c.Text() || got.key != c.key || got.Service != c.Service || !bytes.Equal(got.Carried(), c.Carried()) {
			t.Errorf("%d frames: Parse(Text()) is another capability", n)
		}
	}
}

func TestTokenLongest(t *testing.T) {
	h := Header{Branch: 1, Epoch: 1}
	full := make(Frame, maxFrame)
	c, err := Mint(testService(), testKey().Branch(1, 1, 0), h, full)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []Frame{full, full, full[1:]} {
		if c, err = c.extend(f); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(c.Carried()); got != maxCarried {
		t.Errorf("carried form has %d bytes, want %d", got, maxCarried)
	}
	c.mirror = &half{}
	if got := len(c.Text()); got != MaxTokenText {
		t.Errorf("text has %d characters, MaxTokenText = %d", got, MaxTokenText)
	}
	if _, err := Parse(c.Text()); err != nil {
		t.Error(err)
	}
	if _, err := c.extend(nil); err == nil {
		t.Error("a fifth frame is taken")
	}
	three, err := Mint(testService(), testKey().Branch(1, 1, 0), h, full)
	for range 2 {
		if err == nil {
			three, err = three.extend(full)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := three.extend(full); err == nil {
		t.Error("four full frames are taken: they do not fit an OPEN")
	}
	if _, err := three.extend(append(full, 0)); err == nil {
		t.Error("a frame of 49 bytes is taken")
	}
}

func TestParseRefuses(t *testing.T) {
	good := testChain(t, 2)
	text := good.Text()
	raw, err := decodeText(tokenKind, text, MaxTokenText, errToken)
	if err != nil {
		t.Fatal(err)
	}
	// again encodes bytes with a check that is right, so that only what was changed is wrong.
	again := func(b []byte) string { return encodeText(tokenKind, bytes.Clone(b)) }
	carried := len(good.Carried())
	frames := func(header []byte, lengths ...int) []byte {
		b := bytes.Clone(header)
		for _, n := range lengths {
			b = append(append(b, byte(n)), make([]byte, n)...)
		}
		return append(b, raw[carried:]...)
	}
	for id, bad := range map[string]string{
		"empty":             "",
		"prefix only":       tokenKind + "_",
		"other prefix":      "ecap2_" + text[6:],
		"upper-case prefix": "ECAP1_" + text[6:],
		"space in front":    " " + text,
		"newline behind":    text + "\n",
		"newline inside":    text[:20] + "\n" + text[20:],
		"padded":            text + "=",
		"plus for minus":    text[:20] + "+" + text[21:],
		"a character less":  text[:len(text)-1],
		"a character more":  text + "A",
		"a character wrong": text[:40] + string(text[40]^1) + text[41:],
		"trailing byte":     again(append(bytes.Clone(raw), 0)),
		"version 2":         again(changed(raw, 0, 0x23)),
		"version 9":         again(changed(raw, 0, 0x93)),
		"other hint":        again(changed(raw, 1, raw[1]^1)),
		"other service":     again(changed(raw, len(raw)-10, raw[len(raw)-10]^1)),
		"no end of frames":  again(changed(raw, carried, 0)),
		"no frames":         again(frames(raw[:12])),
		"five frames":       again(frames(raw[:12], 0, 0, 0, 0, 0)),
		"frame of 49":       again(frames(raw[:12], 49)),
		"too long":          again(frames(raw[:12], 48, 48, 48, 48)),
		"long text":         tokenKind + "_" + strings.Repeat("A", MaxTokenText),
	} {
		if c, err := Parse(bad); err == nil || !errors.Is(err, errToken) {
			t.Errorf("%s: Parse = %v, %v, want errToken", id, c, err)
		}
	}
	if _, err := Parse(again(raw)); err != nil {
		t.Errorf("the unchanged bytes are refused: %v", err)
	}
	for _, end := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
		if other := text[:len(text)-1] + string(end); other != text {
			if _, err := Parse(other); err == nil {
				t.Errorf("the last character may be %c too: not canonical", end)
			}
		}
	}
}

func TestAttenuate(t *testing.T) {
	owner := Owner(testService(), testKey(), 1)
	spec := FrameSpec{Grants: []Grant{{Operations: Read, Name: "temperature"}}}
	one, err := owner.Attenuate(bytes.NewReader([]byte{1, 2, 3, 4}), spec)
	if err != nil {
		t.Fatal(err)
	}
	two, err := owner.Attenuate(bytes.NewReader([]byte{5, 6, 7, 8}), spec)
	if err != nil {
		t.Fatal(err)
	}
	if one.key == two.key || one.key == owner.key {
		t.Error("siblings, or parent and child, have the same key")
	}
	if len(owner.Frames) != 1 || len(one.Frames) != 2 {
		t.Errorf("frames: owner %d, child %d, want 1 and 2", len(owner.Frames), len(one.Frames))
	}
	if want := unhex(t, "4c01020304 0f0c0174656d7065726174757265"); !bytes.Equal(one.Frames[1], want) {
		t.Errorf("frame = %x, want %x", one.Frames[1], want)
	}
	// What the child's key is, the owner's epoch key gives too: no frame can be taken away or changed.
	k := headKey(testKey().Branch(1, 0, 0), one.Header.encode(), one.Frames[0])
	if frameKey(k, one.Frames[1]) != one.key {
		t.Error("the child's key is not that of its chain")
	}
	if _, err := owner.Attenuate(iotest.ErrReader(errors.New("no entropy")), spec); err == nil {
		t.Error("attenuated without entropy")
	}
	long := FrameSpec{Grants: []Grant{{Name: long31}, {Name: long31}}}
	if _, err := owner.Attenuate(bytes.NewReader(make([]byte, 4)), long); err == nil {
		t.Error("a frame of more than 48 bytes is taken")
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	ke := testKey()
	c := Owner(testService(), ke, 1)
	setup := testSetup()
	secrets := map[string][]byte{
		"Ke": ke[:], "Kb": nil, "k": c.key[:], "seed": setup.Seed[:],
	}
	word, err := c.Discharge(FrameSpec{})
	if err != nil {
		t.Fatal(err)
	}
	secrets["d"] = word.key[:]
	kb := ke.Branch(1, 0, 0)
	secrets["Kb"] = kb[:]
	var printed strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d"} {
		for _, value := range []any{ke, &ke, kb, &kb, c, *c, word, *word, []*Discharge{word}, setup, &setup} {
			fmt.Fprintf(&printed, verb+"\n", value)
		}
	}
	for _, value := range []any{ke, kb} {
		if b, err := json.Marshal(value); err == nil {
			t.Errorf("a key is JSON: %s", b)
		}
	}
	out := printed.String()
	for id, secret := range secrets {
		for _, form := range []string{
			fmt.Sprintf("%x", secret[:6]), fmt.Sprintf("%X", secret[:6]), fmt.Sprintf("%d %d %d %d", secret[0], secret[1], secret[2], secret[3]), string(secret[:6]),
		} {
			if strings.Contains(out, form) {
				t.Errorf("%s is printed as %q", id, form)
			}
		}
	}
	if !strings.Contains(out, "(secret key)") {
		t.Error("nothing says that a key was left out")
	}
}

func TestMintRefuses(t *testing.T) {
	kb := testKey().Branch(1, 3, 0)
	if _, err := Mint(testService(), kb, Header{Branch: 16}, nil); err == nil {
		t.Error("branch 16 is taken")
	}
	if _, err := Mint(testService(), kb, Header{Branch: 3}, make(Frame, 49)); err == nil {
		t.Error("a frame of 49 bytes is taken")
	}
	c, err := Mint(testService(), kb, Header{Branch: 3, Hint: [4]byte{9}}, nil)
	if err != nil || c.Header.Hint != testService().Hint() {
		t.Errorf("hint = %x, %v, want the service's", c.Header.Hint, err)
	}
}
