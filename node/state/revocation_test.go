package state

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/denylist"
	"github.com/edgeistry/edgeistry/internal/atomicfile"
)

// TestRevocations keeps a list and reads it again; what is done forgets its secret.
func TestRevocations(t *testing.T) {
	h := newState(t)
	id := h.Keys.Own().ID
	now := time.Unix(1_800_000_000, 0).UTC()
	r, err := h.Revocations.Get(id)
	if err != nil || len(r.Denied)+len(r.Changes) != 0 {
		t.Fatalf("before anything was revoked: %+v, %v", r, err)
	}
	if err := r.Deny(Denial{Fingerprint: denylist.Fingerprint{1}, Epoch: 1, Branch: 3, Name: "node/anna", Since: now, Expires: now.Add(time.Hour)}, h.Keys.Own()); err != nil {
		t.Fatal(err)
	}
	r.Add(Change{Branch: 3, Generation: 1, Since: now})
	r.Add(Change{Branch: 3, Generation: 2, Since: now})
	r.Add(Change{Branch: 4, Generation: 1, Since: now})
	if len(r.Pending()) != 2 {
		t.Errorf("pending: %v, want the higher generation of branch 3, and branch 4", r.Pending())
	}
	r.Finish(Change{Branch: 4, Generation: 1}, now)
	epoch := Change{Epoch: 2, Secret: [32]byte{9}, Since: now}
	r.Add(epoch)
	if c, ok := r.Epoch(); !ok || len(r.Pending()) != 1 || c.Secret != epoch.Secret {
		t.Errorf("pending: %v, want the epoch alone", r.Pending())
	}
	if err := h.Revocations.Save(r); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(h.Revocations.file(id)); err != nil || info.Mode().Perm() != atomicfile.Secret {
		t.Errorf("the file has mode %v, %v", info.Mode(), err)
	}
	again, err := h.Revocations.Get(id)
	if err != nil || !reflect.DeepEqual(again, r) {
		t.Errorf("read again: %+v, %v\nwant %+v", again, err, r)
	}
	r.Finish(epoch, now)
	if len(r.Pending()) != 0 || r.Changes[len(r.Changes)-1].Secret != [32]byte{} {
		t.Errorf("after the end: %+v", r.Changes)
	}
	if err := os.WriteFile(h.Revocations.file(id), []byte("service: "+id.String()+"\nchanges:\n- epoch: 2\n"), atomicfile.Secret); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Revocations.Get(id); err == nil || !strings.Contains(err.Error(), "restore this file") {
		t.Errorf("a pending epoch without its secret: %v", err)
	}
}

// TestSecretOfAnEpochDoesNotPrint prints a pending change, alone and within what holds it, by every verb.
func TestSecretOfAnEpochDoesNotPrint(t *testing.T) {
	c := Change{Epoch: 2}
	for i := range c.Secret {
		c.Secret[i] = 0xa0 + byte(i)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d"} {
		for _, value := range []any{c, &c, []Change{c}, &Revocations{Changes: []Change{c}}} {
			text := fmt.Sprintf(verb, value)
			for _, form := range []string{"a0a1a2", "A0A1A2", "160 161 162", "0xa0, 0xa1", string(c.Secret[:3])} {
				if strings.Contains(text, form) {
					t.Errorf("%s of %T: %s", verb, value, text)
				}
			}
		}
	}
}

// TestDenyListBound fills a list: what has expired long ago makes room, then what the service itself refuses, and nothing else.
func TestDenyListBound(t *testing.T) {
	h := newState(t)
	k := h.Keys.Own()
	now := time.Unix(1_800_000_000, 0).UTC()
	deny := func(r *Revocations, n int, d Denial) error {
		d.Fingerprint, d.Epoch, d.Since = denylist.Fingerprint{byte(n >> 8), byte(n)}, 1, now
		return r.Deny(d, k)
	}
	full := func(of Denial) *Revocations {
		r := &Revocations{Service: k.ID}
		for n := range denylist.MaxEntries {
			if err := deny(r, n, Denial{Branch: 3, Name: "node/" + strings.Repeat("a", 31)}); err != nil {
				t.Fatal(err)
			}
		}
		r.Denied[0].Expires, r.Denied[0].Branch = of.Expires, of.Branch
		return r
	}
	k.Generations[4] = 1
	for what, tt := range map[string]struct {
		first Denial
		want  error
	}{
		"none is over":            {Denial{Branch: 3, Expires: now.Add(-time.Hour)}, ErrDenyListFull},
		"one expired days ago":    {Denial{Branch: 3, Expires: now.Add(-48 * time.Hour)}, nil},
		"one's generation is old": {Denial{Branch: 4}, nil},
	} {
		r := full(tt.first)
		if err := deny(r, denylist.MaxEntries, Denial{Branch: 3}); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", what, err, tt.want)
		}
		if len(r.Denied) != denylist.MaxEntries {
			t.Errorf("%s: %d entries", what, len(r.Denied))
		}
		if err := h.Revocations.Save(r); err != nil {
			t.Errorf("%s: a full list cannot be kept: %v", what, err)
		}
	}
	r := full(Denial{Branch: 4})
	r.Add(Change{Branch: 4, Generation: 1})
	if err := deny(r, denylist.MaxEntries, Denial{Branch: 3}); !errors.Is(err, ErrDenyListFull) {
		t.Errorf("the service has not confirmed the generation: %v, want a full list", err)
	}
}
