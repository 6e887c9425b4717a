package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/config"
	"github.com/edgeistry/edgeistry/node/state"
)

// TestTablesFitTheTerminal runs every command that lists something as on a terminal of 80 columns: no line is longer, and
// every value stands there whole.
func TestTablesFitTheTerminal(t *testing.T) {
	service := "k51qzi5uqu5dkpp5p94ar3zdkjgi6nbu3zz520vdnjtbpef1rew1chg59ekgd2"
	peer := "12D3KooWBmAwcd4PJNJvfV89HwE48nwkRmAgo8Vy3uQEyNNHBox2"
	no := false
	services := []api.Service{
		{Service: service, Name: "greenhouse", Kind: "device", Link: "serial:/dev/ttyUSB0", Board: "ATmega328P", Reachable: &no, Problem: "no answer since Sunday", Capabilities: []string{"greenhouse/owner", "greenhouse/anna", "greenhouse/bob"}},
		{Service: service, Name: "node", Kind: "node"},
	}
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	for line, want := range map[string][]string{
		"device ls":       {"greenhouse", "serial:/dev/ttyUSB0", service, "temperature 41,", "not reachable", "(the line is down)"},
		"service ls":      {"greenhouse", service, "greenhouse/bob", "(no answer since Sunday)"},
		"status":          {peer, "/ip4/203.0.113.7/udp/7776/quic-v1", service, "direct"},
		"fn ls":           {"smooth", "greenhouse/temperature", "smoothed", "(the module trapped: unreachable)"},
		"cap revocations": {"greenhouse/anna 30a585ed3ace42775856b5a664fba8d4", "waiting for the device"},
		"service show greenhouse": {
			service, "temperature (every 10 s, 2 bytes, head 41)", "events (head 3)", "valve (1 byte: 0..100)",
		},
		"cap ls":      {"node/owner", "greenhouse/longname", "until Tue 2031-12-02 23:59 UTC:"},
		"cap inspect": {"any holder of the capability before it", "read temperature;"},
		"cap explain": {"call valve with argument 0..30"},
	} {
		dir := filepath.Join(t.TempDir(), "home")
		h, err := state.Init(dir, config.Default())
		if err != nil {
			t.Fatal(err)
		}
		server := fakeNode(answers{
			"/healthz": map[string]bool{"ok": true},
			"/v1/devices": map[string]any{"devices": []api.Device{{
				Service: service, Name: "greenhouse", Link: "serial:/dev/ttyUSB0", Board: "ATmega328P", Seen: at, Problem: "the line is down",
				Logs: []api.LogHead{{Name: "temperature", Head: api.Head{Sequence: 41}}, {Name: "events", Head: api.Head{Sequence: 3}}},
			}}},
			"/v1/services": map[string]any{"services": services},
			"/v1/status": api.Status{
				Node: peer, Mesh: "farm", Services: services, Addrs: []string{"/ip4/203.0.113.7/udp/7776/quic-v1"},
				Peers: []api.Peer{{ID: peer, Conn: "direct", RTTMS: 41, Addr: "/ip4/203.0.113.7/udp/7776/quic-v1"}},
			},
			"/v1/functions": map[string]any{"functions": []api.Function{{
				Name: "smooth", On: "greenhouse/temperature", To: "smoothed", State: "parked", Problem: "the module trapped: unreachable",
			}}},
			"/v1/revocations": map[string]any{"revocations": []api.Revocation{{
				Service: service, Name: "greenhouse", Kind: "denied", Capability: "greenhouse/anna", Fingerprint: "30a585ed3ace42775856b5a664fba8d4", Since: at, State: "waiting",
			}}},
			"/v1/services/greenhouse/show": api.ServiceDetail{
				Resolution: api.Resolution{Service: service, Name: "greenhouse", Homes: []api.Home{{Peer: peer, Conn: "direct", RTTMS: 41}}, Manifest: greenhouse.Manifest},
				Logs:       []api.LogDetail{{LogInfo: greenhouse.Manifest.Logs[0], Head: &api.Head{Sequence: 41}}, {LogInfo: greenhouse.Manifest.Logs[1], Head: &api.Head{Sequence: 3}}},
			},
		})
		if err := h.API.Save(state.Endpoint{Address: strings.TrimPrefix(server.URL, "http://"), Token: "t"}); err != nil {
			t.Fatal(err)
		}
		saveGreenhouse(t, h)
		quiet, _, errs := testCLI(nil)
		if code := quiet.run(context.Background(), strings.Fields("cap attenuate node/owner --read temperature --call valve --arg 0..30 --until 2031-12-02 --save greenhousee/longname --home "+dir)); code != exitDone {
			t.Fatal(errs)
		}
		if err := h.Keychain.Save("greenhouse/longname", mustCapability(t, h, "greenhousee/longname")); err != nil {
			t.Fatal(err)
		}
		words := strings.Fields(line)
		switch line {
		case "cap inspect":
			words = append(words, "greenhousee/longname")
		case "cap explain":
			words = append(words, "greenhousee/longname", "call", "valve", "3")
		}
		c, out, errs := testCLI(nil)
		c.columns = 80
		if code := c.run(context.Background(), append(words, "--home", dir)); code != exitDone {
			t.Errorf("%s exits %d: %s", line, code, errs)
		}
		server.Close()
		for i, l := range strings.Split(out.String(), "\n") {
			if utf8.RuneCountInString(l) > 80 {
				t.Errorf("%s: line %d has %d columns: %q", line, i+1, utf8.RuneCountInString(l), l)
			}
		}
		flat := strings.Join(strings.Fields(out.String()), " ")
		for _, value := range want {
			if !strings.Contains(flat, value) {
				t.Errorf("%s does not show %q:\n%s", line, value, out)
			}
		}
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"one two three four five six", 20, "one two three four|five six"},
		{"a  b", 20, "a  b"},
		{"one two three four   five six", 18, "one two three four   five six"}, // too narrow to break
		{"one two three four     five six", 20, "one two three four|five six"},
		{"x " + strings.Repeat("k", 30) + " y", 20, "x|" + strings.Repeat("k", 30) + "|y"},
		{"", 80, ""},
		{"any length", 0, "any length"},
	} {
		if got := strings.Join(wrap(c.text, c.width), "|"); got != c.want {
			t.Errorf("wrap(%q, %d) = %q, want %q", c.text, c.width, got, c.want)
		}
	}
}
