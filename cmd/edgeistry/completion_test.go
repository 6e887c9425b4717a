package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/node/config"
	"github.com/edgeistry/edgeistry/node/state"
)

// TestTabCompletes presses Tab where people do, with a device in the state directory and no node.
func TestTabCompletes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home")
	h, err := state.Init(dir, config.Default())
	if err != nil {
		t.Fatal(err)
	}
	saveGreenhouse(t, h)
	for line, want := range map[string]string{
		"call ":                                "greenhouse/ node/",
		"call greenhouse/":                     "greenhouse/valve",
		"call greenhouse/valve ":               "",
		"log read gre":                         "greenhouse/ node/",
		"log read greenhouse/":                 "greenhouse/events greenhouse/temperature",
		"log tail greenhouse/t":                "greenhouse/events greenhouse/temperature",
		"log append greenhouse/":               "greenhouse/events greenhouse/temperature",
		"service show ":                        "greenhouse node",
		"service forget ":                      "greenhouse node",
		"device rm ":                           "greenhouse",
		"device rename ":                       "greenhouse",
		"device rename greenhouse ":            "",
		"cap show ":                            "greenhouse/owner node/owner",
		"cap mint ":                            "greenhouse node",
		"cap mint greenhouse ":                 "and append call events follow for from read temperature until valve",
		"cap attenuate greenhouse/owner read ": "and append call events follow for from read temperature until valve",
		"call greenhouse/valve 20 --cap ":      "greenhouse/owner node/owner",
		"fn deploy x.wasm --on greenhouse/":    "greenhouse/events greenhouse/temperature",
		"ping ":                                "greenhouse node",
		"run --log-level ":                     "debug error info warn",
		"log append x --as u":                  "i16 i16le i32 i32le i8 u16 u16le u32 u32le u8",
	} {
		c, out, errs := testCLI(nil)
		words := strings.Split(line, " ")
		args := append([]string{"__complete", "--home", dir}, words...)
		if code := c.run(context.Background(), args); code != exitDone {
			t.Errorf("%q exits %d: %s", line, code, errs)
			continue
		}
		var got []string
		for _, word := range strings.Fields(out.String()) {
			if !strings.HasPrefix(word, ":") { // the directive
				got = append(got, word)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q completes to %q, want %q", line, strings.Join(got, " "), want)
		}
	}
	// Without a state directory Tab does nothing, and says nothing.
	c, out, _ := testCLI(nil)
	if code := c.run(context.Background(), []string{"__complete", "--home", filepath.Join(dir, "none"), "call", ""}); code != exitDone || !strings.HasPrefix(out.String(), ":") {
		t.Errorf("with no home: exit %d, %q", code, out)
	}
}

// saveGreenhouse puts a claimed device with two logs and a function into a home.
func saveGreenhouse(t *testing.T, h *state.State) *state.ServiceKey {
	t.Helper()
	key, err := state.NewServiceKey()
	if err != nil {
		t.Fatal(err)
	}
	greenhouse := state.Device{Service: key.ID, Name: "greenhouse", Link: "udp:127.0.0.1:5690", Reader: key.Owner(), Manifest: edgeistry.Manifest{
		Logs:      []edgeistry.LogInfo{{Name: "temperature", Period: 10, Size: 2}, {Name: "events"}},
		Functions: []edgeistry.FunctionInfo{{Name: "valve", Argument: "u8:0..100"}},
	}}
	for _, err := range []error{
		h.Keys.Save(key), h.Names.Save("greenhouse", key.ID), h.Keychain.Save("greenhouse/owner", key.Owner()), h.Devices.Save(greenhouse),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return key
}

func mustCapability(t *testing.T, h *state.State, name string) *capability.Capability {
	t.Helper()
	c, err := h.Keychain.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
