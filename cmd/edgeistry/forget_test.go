package main

import (
	"strings"
	"testing"

	"github.com/edgeistry/edgeistry/node/api"
)

// TestDeviceRemovalSaysWhatIsLost checks the words before a device goes, and that a script that does not say --yes changes
// nothing.
func TestDeviceRemovalSaysWhatIsLost(t *testing.T) {
	a := answers{"/v1/devices/remove": api.Forgotten{
		Service: "k51", Key: true, Names: []string{"greenhouse"}, Capabilities: []string{"greenhouse/owner"}, Logs: []string{"temperature", "events"},
	}}
	code, out, errs := runAgainst(t, a, "", "device", "rm", "greenhouse")
	if code != exitUsage || out != "" {
		t.Errorf("without --yes: exit %d, %q", code, out)
	}
	for _, want := range []string{
		"lost: the key of k51: nobody can mint, revoke or renew its capabilities any more",
		"the device stays claimed: it needs a factory reset, or a backup of this key, to be used again",
		"lost: from the keychain greenhouse/owner", "lost: the copies of its logs temperature, events", "lost: the names greenhouse",
		"nothing was changed", "to do: the same with --yes",
	} {
		if !strings.Contains(errs, want) {
			t.Errorf("without --yes it does not say %q:\n%s", want, errs)
		}
	}
	if code, out, errs = runAgainst(t, a, "", "device", "rm", "greenhouse", "--yes"); code != exitDone || out != "removed greenhouse\n" {
		t.Errorf("with --yes: exit %d, %q, %q", code, out, errs)
	}
	a["/v1/devices/rename"] = api.Renamed{Service: "k51", Before: "greenhose", Name: "greenhouse", Capabilities: []string{"greenhouse/owner"}}
	if code, out, errs = runAgainst(t, a, "", "device", "rename", "greenhose", "greenhouse"); code != exitDone || out != "renamed greenhose to greenhouse\nin the keychain: greenhouse/owner\n" {
		t.Errorf("rename: exit %d, %q, %q", code, out, errs)
	}
}
