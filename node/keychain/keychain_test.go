package keychain

import (
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/node/state"
)

// store is a fake: entries in the order of the slice.
type store struct {
	entries []Entry
	bad     error
}

func (s *store) Get(name string) (*capability.Capability, error) {
	if i := slices.IndexFunc(s.entries, func(e Entry) bool { return e.Name == name }); i >= 0 {
		return s.entries[i].Capability, nil
	}
	if s.bad != nil {
		return nil, s.bad
	}
	return nil, &Error{Kind: NotFound, Cause: errors.New(name + ": not here")}
}

func (s *store) All() ([]Entry, error) { return s.entries, s.bad }

// endings is a fake: what is over, by the text of a capability, and the epoch that is over, if any.
type endings struct {
	ended map[string]string
	epoch uint16
}

func (e endings) Ended(c *capability.Capability) string { return e.ended[c.Text()] }

func (e endings) EpochOver(edgeistry.ServiceID) (uint16, bool) { return e.epoch, e.epoch > 0 }

func newKey(t *testing.T) *state.ServiceKey {
	t.Helper()
	key, err := state.NewServiceKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// minted returns a capability of a branch that reads everything.
func minted(t *testing.T, key *state.ServiceKey, branch uint8) *capability.Capability {
	t.Helper()
	frame, err := (&capability.FrameSpec{Grants: []capability.Grant{{Operations: capability.Read, Prefix: true}}}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	h := capability.Header{Branch: branch, Hint: key.ID.Hint(), Epoch: key.Epoch}
	if _, err := rand.Read(h.Nonce[:]); err != nil {
		t.Fatal(err)
	}
	c, err := capability.Mint(key.ID, key.EpochKey.Branch(key.Epoch, branch, 0), h, frame)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// narrowed returns a capability with one frame more.
func narrowed(t *testing.T, c *capability.Capability) *capability.Capability {
	t.Helper()
	out, err := c.Attenuate(rand.Reader, capability.FrameSpec{Grants: []capability.Grant{{Operations: capability.Read, Prefix: true}}})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// kindOf returns the kind of an error; 0: it is none of this package.
func kindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return 0
}

func TestChooseGiven(t *testing.T) {
	key, other := newKey(t), newKey(t)
	single, mirror, foreign := minted(t, key, 2), minted(t, key, capability.BranchMirror), minted(t, other, 2)
	pair := key.Owner()
	chain := Chain{Endings: endings{}, Store: &store{entries: []Entry{{"gh/anna", single}, {"gh/owner", pair}, {"field/bob", foreign}}}}
	for _, tt := range []struct {
		name, given string
		mirror      bool
		want        *capability.Capability
		called      string
		kind        Kind
	}{
		{name: "text", given: single.Text(), want: single, called: Given},
		{name: "name", given: "gh/anna", want: single, called: "gh/anna"},
		{name: "half of a pair", given: "gh/owner", mirror: true, want: pair.Mirror(), called: "gh/owner"},
		{name: "mirror text", given: mirror.Text(), mirror: true, want: mirror, called: Given},
		{name: "mirror sent to the service, which says no itself", given: mirror.Text(), want: mirror, called: Given},
		{name: "no mirror half", given: "gh/anna", mirror: true, kind: NoMirrorHalf},
		{name: "text of another service", given: foreign.Text(), kind: Foreign},
		{name: "name of another service", given: "field/bob", kind: Foreign},
		{name: "damaged text", given: single.Text()[:20], kind: BadText},
		{name: "unknown name", given: "gh/carl", kind: NotFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := chain.Choose(tt.given, key.ID, tt.mirror)
			if kindOf(err) != tt.kind {
				t.Fatalf("Choose: %v, want kind %d", err, tt.kind)
			}
			if tt.want != nil && (got.Text() != tt.want.Text() || got.Name != tt.called) {
				t.Errorf("chose %q, want %q", got.Name, tt.called)
			}
		})
	}
}

// TestAnUnreadableEntryIsNoMissingOne: who gave a name is told what is wrong with what it names.
func TestAnUnreadableEntryIsNoMissingOne(t *testing.T) {
	damaged := errors.New("it is not a capability")
	chain := Chain{Endings: endings{}, Store: &store{bad: damaged}}
	if _, err := chain.Find("gh/anna"); kindOf(err) != BadEntry || !errors.Is(err, damaged) || err.Error() != damaged.Error() {
		t.Errorf("Find: %v", err)
	}
	_, err := chain.Choose("", newKey(t).ID, false)
	if kindOf(err) != None || !errors.Is(err, damaged) || !strings.Contains(err.Error(), damaged.Error()) {
		t.Errorf("Choose: %v", err)
	}
}

func TestBestMatch(t *testing.T) {
	key, other := newKey(t), newKey(t)
	owner, wide, mirror := key.Owner(), minted(t, key, 2), minted(t, key, capability.BranchMirror)
	narrow := narrowed(t, wide)
	foreign := Entry{"field/owner", other.Owner()}
	for _, tt := range []struct {
		name    string
		entries []Entry
		mirror  bool
		over    []*capability.Capability
		want    string
		kind    Kind
	}{
		{name: "the owner's before what comes first", entries: []Entry{{"gh/anna", wide}, {"gh/owner", owner}}, want: "gh/owner"},
		{name: "the owner's though it is narrower", entries: []Entry{{"gh/anna", wide}, {"gh/owner", narrowed(t, owner)}}, want: "gh/owner"},
		{name: "the broader", entries: []Entry{{"gh/anna", narrow}, {"gh/bob", wide}}, want: "gh/bob"},
		{name: "the first of equals", entries: []Entry{{"gh/anna", wide}, {"gh/bob", minted(t, key, 3)}}, want: "gh/anna"},
		{name: "none of another service", entries: []Entry{foreign, {"gh/anna", narrow}}, want: "gh/anna"},
		{name: "no mirror for the service itself", entries: []Entry{{"gh/copy", mirror}, {"gh/anna", narrow}}, want: "gh/anna"},
		{name: "a mirror half for the mirror", entries: []Entry{{"gh/anna", wide}, {"gh/owner", owner}}, mirror: true, want: "gh/owner"},
		{name: "none that is over", entries: []Entry{{"gh/anna", narrow}, {"gh/owner", owner}}, over: []*capability.Capability{owner}, want: "gh/anna"},
		{name: "a half that is over", entries: []Entry{{"gh/owner", owner}}, mirror: true, over: []*capability.Capability{owner.Mirror()}, kind: None},
		{name: "nothing for the mirror", entries: []Entry{{"gh/anna", wide}}, mirror: true, kind: None},
		{name: "nothing", entries: []Entry{foreign}, kind: None},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ended := make(map[string]string)
			for _, c := range tt.over {
				ended[c.Text()] = "on the deny list"
			}
			got, err := Chain{Store: &store{entries: tt.entries}, Endings: endings{ended: ended}}.Choose("", key.ID, tt.mirror)
			if kindOf(err) != tt.kind || got.Name != tt.want {
				t.Errorf("chose %q, %v; want %q, kind %d", got.Name, err, tt.want, tt.kind)
			}
		})
	}
}

// TestNoneSaysWhy: an error names those that would fit, why they are over, and an epoch that the service has not confirmed.
func TestNoneSaysWhy(t *testing.T) {
	key := newKey(t)
	owner := key.Owner()
	entries := &store{entries: []Entry{{"gh/owner", owner}}}
	over := endings{ended: map[string]string{owner.Text(): "generation 0 of branch 0 is over"}}
	_, err := Chain{Store: entries, Endings: over}.Choose("", key.ID, false)
	want := "no capability for " + key.ID.String() + " in the keychain that is not over: gh/owner (generation 0 of branch 0 is over)"
	if kindOf(err) != None || err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	var e *Error
	if !errors.As(err, &e) || !strings.HasPrefix(e.Text(func(edgeistry.ServiceID) string { return "gh" }), "no capability for gh in") {
		t.Errorf("with a name: %v", e)
	}
	over.epoch = 4
	if _, err = (Chain{Store: entries, Endings: over}).Choose("", key.ID, false); kindOf(err) != EpochOver || !strings.HasPrefix(err.Error(), "epoch 4 of ") {
		t.Errorf("after an epoch: %v", err)
	}
}

func TestProve(t *testing.T) {
	key, other := newKey(t), newKey(t)
	a, b, foreign := minted(t, key, 2), minted(t, key, 3), minted(t, other, 2)
	discharge, err := minted(t, other, 2).Discharge(capability.FrameSpec{})
	if err != nil {
		t.Fatal(err)
	}
	chain := Chain{Endings: endings{}, Store: &store{entries: []Entry{{"gh/a", a}, {"gh/b", b}}}}
	got, err := chain.Prove(Proof{Capability: "gh/a", Also: []string{"gh/b"}, Discharges: []string{discharge.Text()}, Private: true}, key.ID, false)
	if err != nil {
		t.Fatal(err)
	}
	r := got.Request(&coap.Message{}, true)
	if len(r.Also) != 1 || r.Also[0].Text() != b.Text() || len(r.Discharges) != 1 || r.Discharges[0].Text() != discharge.Text() || !r.Private || !r.Mirror {
		t.Errorf("request %+v", r)
	}
	full := slices.Repeat([]string{"gh/b"}, capability.MaxParts-1)
	if got, err = chain.Prove(Proof{Also: full}, key.ID, false); err != nil || len(got.Also) != len(full) {
		t.Errorf("as many as may be: %v", err)
	}
	for _, tt := range []struct {
		name  string
		proof Proof
		kind  Kind
	}{
		{"one too many", Proof{Also: append(full, "gh/b")}, TooMany},
		{"an empty one", Proof{Also: []string{""}}, Empty},
		{"of another service", Proof{Also: []string{foreign.Text()}}, Foreign},
		{"an unknown name", Proof{Also: []string{"gh/c"}}, NotFound},
		{"no discharge", Proof{Discharges: []string{a.Text()}}, BadDischarge},
		{"the first is unknown", Proof{Capability: "gh/c", Also: []string{"gh/b"}}, NotFound},
	} {
		if _, err := chain.Prove(tt.proof, key.ID, false); kindOf(err) != tt.kind {
			t.Errorf("%s: %v, want kind %d", tt.name, err, tt.kind)
		}
	}
}

// TestMirrorHalf: a proof has a half for the copy only if each of its capabilities has one.
func TestMirrorHalf(t *testing.T) {
	key := newKey(t)
	pair, single := key.Owner(), minted(t, key, 2)
	both := Chosen{Capability: pair, Name: "gh/owner", Also: []*capability.Capability{pair}, Private: true}
	half, ok := both.MirrorHalf()
	if !ok || half.Header.Branch != capability.BranchMirror || len(half.Also) != 1 || half.Also[0].Header.Branch != capability.BranchMirror ||
		half.Name != "gh/owner" || !half.Private {
		t.Errorf("half %+v, %t", half, ok)
	}
	if both.Header.Branch != capability.BranchOwner || both.Also[0] != pair {
		t.Error("the proof itself was changed")
	}
	for _, w := range []Chosen{{Capability: single}, {Capability: pair, Also: []*capability.Capability{single}}} {
		if _, ok := w.MirrorHalf(); ok {
			t.Error("a half of what has none")
		}
	}
}

func TestNameOf(t *testing.T) {
	key := newKey(t)
	owner := key.Owner()
	chain := Chain{Store: &store{entries: []Entry{{"gh/owner", owner}}}}
	if got := chain.NameOf(owner); got != "gh/owner" {
		t.Errorf("name %q", got)
	}
	if got := chain.NameOf(minted(t, key, 2)); got != "" {
		t.Errorf("name of one that is not kept: %q", got)
	}
}

// TestErrorsHoldNoSecret: what is wrong with a text must not be told with the text.
func TestErrorsHoldNoSecret(t *testing.T) {
	text := newKey(t).Owner().Text()
	_, err := Chain{Store: &store{}, Endings: endings{}}.Find(text + "x")
	if err == nil || strings.Contains(err.Error(), text[len(text)/2:]) {
		t.Errorf("error %v", err)
	}
}
