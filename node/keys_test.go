package node

import (
	"testing"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/node/state"
)

// TestRaisedAgainRenews: a stop between keeping a generation and renewing the owner's capability is made good when the generation
// is raised once more. A lower one changes nothing.
func TestRaisedAgainRenews(t *testing.T) {
	h := testHome(t, nil)
	n, _ := startNode(t, h)
	key := h.Keys.Own()
	key.Generations[capability.BranchOwner] = 2
	if err := h.Keys.Save(key); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		generation uint8
		kept       bool
	}{{2, true}, {1, false}} {
		if kept, err := n.raised(key.ID, capability.BranchOwner, tt.generation); kept != tt.kept || err != nil {
			t.Errorf("raised to %d: kept %t, %v", tt.generation, kept, err)
		}
		owner, err := h.Keychain.Get(state.OwnCapability)
		if err != nil || owner.Header.Generation != 2 {
			t.Errorf("raised to %d: the owner's capability is of generation %d, %v", tt.generation, owner.Header.Generation, err)
		}
	}
}

// TestAdvancedFollows: no epoch is skipped, and none begins twice with different secrets.
func TestAdvancedFollows(t *testing.T) {
	h := testHome(t, nil)
	n, _ := startNode(t, h)
	own := h.Keys.Own()
	first, err := n.advanced(own.ID, own.Epoch+1, [32]byte{1})
	if err != nil || first.Epoch != own.Epoch+1 {
		t.Fatalf("the next epoch: %v", err)
	}
	for _, epoch := range []uint16{own.Epoch + 1, own.Epoch + 3, own.Epoch} {
		if key, err := n.advanced(own.ID, epoch, [32]byte{2}); key != nil || err == nil {
			t.Errorf("epoch %d after %d was begun", epoch, first.Epoch)
		}
	}
	if kept := h.Keys.Own(); kept.Epoch != first.Epoch || kept.EpochKey != first.EpochKey {
		t.Error("the key was changed all the same")
	}
}
