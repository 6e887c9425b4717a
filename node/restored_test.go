package node

import (
	"fmt"
	"testing"

	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
)

// restore stops the node, puts back an older key of the device, as a backup has it, and starts the node.
func (f *farm) restore(key *state.ServiceKey) {
	f.t.Helper()
	if err := f.node.Close(); err != nil {
		f.t.Fatal(err)
	}
	h, err := state.Open(f.state.Dir())
	if err != nil {
		f.t.Fatal(err)
	}
	if err := h.Keys.Save(key); err != nil {
		f.t.Fatal(err)
	}
	f.state = h
	f.node, f.client = startNode(f.t, h)
}

// cause waits until the home says why the device that answers refuses it.
func (f *farm) cause(want string) {
	f.t.Helper()
	eventually(f.t, "cause "+want, func() error {
		s, err := f.client.Status(f.t.Context())
		if err != nil {
			return err
		}
		for _, one := range s.Services {
			if one.Name == "greenhouse" && one.Cause == want && one.Reachable != nil && !*one.Reachable {
				return nil
			}
		}
		return fmt.Errorf("services: %+v", s.Services)
	})
}

// TestRestoredEpoch: a home whose key is of an earlier epoch than the device's names the cause, and does not call the device away.
func TestRestoredEpoch(t *testing.T) {
	f := newFarm(t)
	backup := f.key()
	f.revoke(api.RevokeRequest{Capability: "greenhouse/owner", Epoch: true})
	f.settled()
	f.restore(backup)
	f.cause("other epoch")
}

// TestRestoredGeneration: the same where the backup lacks the end of the home's own capability.
func TestRestoredGeneration(t *testing.T) {
	f := newFarm(t)
	backup := f.key()
	f.mint(readerBranch, "reader")
	f.revoke(api.RevokeRequest{Capability: "greenhouse/reader"})
	f.settled()
	f.restore(backup)
	f.cause("other generation")
}
