package capability

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/coap"
)

// judgeOwner returns the owner's capability of a service, and the key of branch 0.
func judgeOwner(seed byte) (*Capability, BranchKey) {
	var id edgeistry.ServiceID
	id[0] = seed
	ke := EpochKey{seed}
	return Owner(id, ke, 1), ke.Branch(1, 0, 0)
}

func judgeNarrow(t *testing.T, c *Capability, limits ...Limit) *Capability {
	t.Helper()
	out, err := c.Attenuate(rand.Reader, FrameSpec{Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestJudge asks every frame, also behind the first that denies, and explains each.
func TestJudge(t *testing.T) {
	owner, _ := judgeOwner(1)
	guard, _ := judgeOwner(2)
	demand, err := owner.ThirdParty(rand.Reader, guard)
	if err != nil {
		t.Fatal(err)
	}
	lock := judgeNarrow(t, owner, demand)
	lock = judgeNarrow(t, lock, Limit{Type: TypeBound, Bound: Bound{Width: 1, Max: 30}}, Limit{Type: TypeCount, Count: Count{N: 2, Cell: 1}})
	lock = judgeNarrow(t, lock, Limit{Type: TypeLease, Lease: Lease{Boot: 7, Tick: 100}})
	word, err := guard.Discharge(FrameSpec{Limits: []Limit{{Type: TypeLease, Lease: Lease{Boot: 7, Tick: 50}}}})
	if err != nil {
		t.Fatal(err)
	}
	req := &coap.Message{Code: coap.CodePOST, Payload: []byte{31}}
	if err := req.SetPath("/f/door"); err != nil {
		t.Fatal(err)
	}
	target, _ := TargetOf(req)
	situation := func(payload byte, tick uint32) Situation {
		return Situation{Target: target, Payload: []byte{payload}, Boot: 7, Now: Now{Tick: tick}}
	}
	for _, tt := range []struct {
		name    string
		words   []*Discharge
		payload byte
		tick    uint32
		want    []string // why each frame denies; empty: it holds
	}{
		{"all holds", []*Discharge{word}, 30, 50, []string{"", "", "", "", ""}},
		{"no word", nil, 30, 50, []string{"", "its word is missing", "", ""}},
		{"argument and both leases", []*Discharge{word}, 31, 101, []string{"", "", "frame 3 allows argument 0..30, not 31", "frame 4 allows only: until", "the discharge of frame 2 allows only: until"}},
	} {
		req.Payload = []byte{tt.payload}
		found := Judge([]*Capability{lock}, tt.words, situation(tt.payload, tt.tick))
		if len(found) != len(tt.want) {
			t.Errorf("%s: %d findings, want %d: %+v", tt.name, len(found), len(tt.want), found)
			continue
		}
		for i, f := range found {
			why := ""
			if f.Denial.Reason != ReasonNone {
				why = ExplainTogether([]*Capability{lock}, tt.words, Verdict{Reason: f.Denial.Reason, Frame: f.Denial.Frame, Constraint: f.Denial.Constraint}, req)
			}
			if (why == "") != (tt.want[i] == "") || !strings.Contains(why, tt.want[i]) {
				t.Errorf("%s: finding %d says %q, want %q", tt.name, i, why, tt.want[i])
			}
		}
		if len(tt.words) > 0 && tt.payload == 30 && !strings.Contains(found[2].If, "cell 1") {
			t.Errorf("%s: the count holds without a condition: %+v", tt.name, found[2])
		}
	}
	if !lock.Demands(guard) || lock.Demands(owner) {
		t.Errorf("Demands(guard) = %t, Demands(another) = %t, want true and false", lock.Demands(guard), lock.Demands(owner))
	}
}

// TestReservations finds the chain of a count in the middle, and refuses a key that did not make the capability.
func TestReservations(t *testing.T) {
	owner, kb := judgeOwner(1)
	counted := judgeNarrow(t, owner, Limit{Type: TypeCount, Count: Count{N: 2, Cell: 3}})
	later := judgeNarrow(t, counted, Limit{Type: TypeLease})
	list, ok := later.Reservations(kb)
	if !ok || len(list) != 1 || list[0] != (Reservation{2, Count{2, 3}, counted.Identity()}) {
		t.Errorf("Reservations = %+v, %t, want frame 2 with the identity of the capability that ends there", list, ok)
	}
	if _, other := judgeOwner(2); true {
		if _, ok := later.Reservations(other); ok {
			t.Error("Reservations took the key of another service")
		}
	}
	if got := HoldDuration(EncodeHold(1999 * time.Millisecond)); got != 1900*time.Millisecond {
		t.Errorf("EncodeHold(1.999s) stands for %v, want 1.9s", got)
	}
}
