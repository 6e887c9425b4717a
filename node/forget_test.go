package node

import (
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/logstore"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
)

// claimedDevice puts a claimed device that never answers into a home, with its owner's capability and one more.
func claimedDevice(t *testing.T, h *state.State, name string) *state.ServiceKey {
	t.Helper()
	key, err := state.NewServiceKey()
	if err != nil {
		t.Fatal(err)
	}
	reader, err := newReader(key)
	if err != nil {
		t.Fatal(err)
	}
	anna, err := key.Owner().Attenuate(rand.Reader, capability.FrameSpec{Grants: []capability.Grant{{Operations: capability.Read, Name: "temperature"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		h.Keys.Save(key), h.Names.Save(name, key.ID), h.Keychain.Save(name+"/owner", key.Owner()), h.Keychain.Save(name+"/anna", anna),
		h.Devices.Save(state.Device{
			Service: key.ID, Name: name, Link: "udp:127.0.0.1:9", Claimed: time.Now(), Reader: reader,
			Manifest: edgeistry.Manifest{Logs: []edgeistry.LogInfo{{Name: "temperature"}}},
		}),
	); err != nil {
		t.Fatal(err)
	}
	return key
}

func chain(t *testing.T, h *state.State) (names []string) {
	t.Helper()
	entries, err := h.Keychain.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name)
	}
	return names
}

func TestADeviceIsRemoved(t *testing.T) {
	h := testHome(t, nil)
	key := claimedDevice(t, h, "greenhose")
	n, c := startNode(t, h)
	if err := h.Keychain.Save(key.ID.String()+"/spare", key.Owner()); err != nil {
		t.Fatal(err)
	}
	copied := logstore.LogID{Service: key.ID, Name: "temperature"}
	log, err := n.store.Log(t.Context(), copied)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := log.Mirror(t.Context(), edgeistry.Hash{}, edgeistry.Place{Incarnation: 1, Sequence: 1}, [][]byte{{0, 215}}); err != nil {
		t.Fatal(err)
	}
	want := []string{"greenhose/anna", "greenhose/owner", key.ID.String() + "/spare"}
	preview, err := c.RemoveDevice(t.Context(), api.RemoveDeviceRequest{Device: "greenhose", Preview: true})
	if err != nil || !slices.Equal(preview.Capabilities, want) || !preview.Key || !slices.Equal(preview.Logs, []string{"temperature"}) {
		t.Fatalf("preview is %+v, %v, want the capabilities %q, the key, and the log", preview, err, want)
	}
	keeps, err := c.RemoveDevice(t.Context(), api.RemoveDeviceRequest{Device: "greenhose", Preview: true, KeepLogs: true})
	if err != nil || len(keeps.Logs) > 0 || !slices.Equal(keeps.Kept, []string{"temperature"}) {
		t.Fatalf("preview with the logs kept is %+v, %v", keeps, err)
	}
	if got := chain(t, h); len(got) != 4 { // with the node's own
		t.Fatalf("after a preview the keychain holds %q", got)
	}
	if _, err := c.RemoveDevice(t.Context(), api.RemoveDeviceRequest{Device: key.ID.String()}); err != nil {
		t.Fatal(err)
	}
	devices, err := c.Devices(t.Context())
	if err != nil || len(devices) != 0 {
		t.Errorf("devices are %v, %v, want none", devices, err)
	}
	if got := chain(t, h); !slices.Equal(got, []string{state.OwnCapability}) {
		t.Errorf("the keychain holds %q, want the node's own capability alone", got)
	}
	if _, err := h.Names.Get("greenhose"); !errors.Is(err, state.ErrNotFound) {
		t.Errorf("the name is still there: %v", err)
	}
	if _, err := h.Keys.Get(key.ID); !errors.Is(err, state.ErrNotFound) {
		t.Errorf("the key is still there: %v", err)
	}
	if kept, err := h.Devices.All(); err != nil || len(kept) != 0 {
		t.Errorf("the next start finds %v, %v", kept, err)
	}
	if n.store.Has(copied) {
		t.Error("the copy of its log is still there")
	}
	if _, err := c.RemoveDevice(t.Context(), api.RemoveDeviceRequest{Device: "node"}); api.KindOf(err) != api.NotFound {
		t.Errorf("removing the node itself: %v, want not_found", err)
	}
}

func TestARenamedDeviceKeepsItsCapabilities(t *testing.T) {
	h := testHome(t, nil)
	key := claimedDevice(t, h, "greenhose")
	other := claimedDevice(t, h, "pump")
	_, c := startNode(t, h)
	if _, err := c.RenameDevice(t.Context(), api.RenameDeviceRequest{Device: "greenhose", Name: "pump"}); api.KindOf(err) != api.Usage {
		t.Errorf("renaming to the name of %s: %v, want usage", other.ID, err)
	}
	out, err := c.RenameDevice(t.Context(), api.RenameDeviceRequest{Device: "greenhose", Name: "greenhouse"})
	if err != nil || out.Before != "greenhose" || !slices.Equal(out.Capabilities, []string{"greenhouse/anna", "greenhouse/owner"}) {
		t.Fatalf("rename is %+v, %v", out, err)
	}
	if got := chain(t, h); !slices.Equal(got, []string{"greenhouse/anna", "greenhouse/owner", "node/owner", "pump/anna", "pump/owner"}) {
		t.Errorf("the keychain holds %q", got)
	}
	if id, err := h.Names.Get("greenhouse"); err != nil || id != key.ID {
		t.Errorf("greenhouse is %v, %v, want %s", id, err, key.ID)
	}
	if _, err := h.Names.Get("greenhose"); !errors.Is(err, state.ErrNotFound) {
		t.Errorf("the old name is still there: %v", err)
	}
	devices, err := c.Devices(t.Context())
	if err != nil || len(devices) != 2 || devices[0].Name != "greenhouse" {
		t.Errorf("devices are %+v, %v", devices, err)
	}
	if kept, err := h.Devices.All(); err != nil || !slices.ContainsFunc(kept, func(d state.Device) bool { return d.Name == "greenhouse" && d.Service == key.ID }) {
		t.Errorf("the next start finds %v, %v", kept, err)
	}
	if again, err := c.RenameDevice(t.Context(), api.RenameDeviceRequest{Device: "greenhouse", Name: "greenhouse"}); err != nil || again.Name != "greenhouse" {
		t.Errorf("renaming to the same name: %+v, %v", again, err)
	}
}

func TestAServiceIsForgotten(t *testing.T) {
	h := testHome(t, nil)
	device := claimedDevice(t, h, "greenhouse")
	ghost, err := state.NewServiceKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		h.Names.Save("lab", ghost.ID), h.Keychain.Save("lab/anna", ghost.Owner()), h.Names.Save("labb", ghost.ID), h.Keychain.Save("labb/anna", ghost.Owner()),
		h.Names.Save("greenhosue", device.ID), h.Keychain.Save("greenhosue/bob", device.Owner()),
	); err != nil {
		t.Fatal(err)
	}
	_, c := startNode(t, h)
	for _, refused := range []string{"greenhouse", device.ID.String(), "node"} {
		if _, err := c.ForgetService(t.Context(), api.ForgetServiceRequest{Service: refused}); api.KindOf(err) != api.Usage {
			t.Errorf("forgetting %s: %v, want usage", refused, err)
		}
	}
	out, err := c.ForgetService(t.Context(), api.ForgetServiceRequest{Service: "labb"})
	if err != nil || !slices.Equal(out.Names, []string{"labb"}) || !slices.Equal(out.Capabilities, []string{"labb/anna"}) {
		t.Errorf("forgetting the slip is %+v, %v", out, err)
	}
	out, err = c.ForgetService(t.Context(), api.ForgetServiceRequest{Service: "greenhosue"})
	if err != nil || !slices.Equal(out.Capabilities, []string{"greenhosue/bob"}) || out.Key {
		t.Errorf("forgetting a second name of a device is %+v, %v", out, err)
	}
	if out, err = c.ForgetService(t.Context(), api.ForgetServiceRequest{Service: ghost.ID.String()}); err != nil || !slices.Equal(out.Names, []string{"lab"}) {
		t.Errorf("forgetting the rest is %+v, %v", out, err)
	}
	if got := chain(t, h); !slices.Equal(got, []string{"greenhouse/anna", "greenhouse/owner", "node/owner"}) {
		t.Errorf("the keychain holds %q", got)
	}
	services, err := c.Services(t.Context())
	if err != nil || len(services) != 2 {
		t.Errorf("services are %+v, %v, want the node and its device", services, err)
	}
}
