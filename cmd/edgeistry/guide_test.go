package main

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/node/config"
	"github.com/edgeistry/edgeistry/node/state"
)

const guide = "../../docs/guide/sharing.md"

// guided is a command of the guide and the lines of the file that show what it prints.
type guided struct {
	words       []string
	first, last int // half open; none: the guide does not show it
}

// TestGuide types the commands of docs/guide/sharing.md that need no node, in order, and compares what they print with what stands there. -update
// writes that again.
func TestGuide(t *testing.T) {
	raw, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(raw), "\n")
	dir := t.TempDir() + "/home"
	h, err := state.Init(dir, config.Default())
	if err != nil {
		t.Fatal(err)
	}
	key, err := state.NewServiceKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Keys.Save(key); err != nil {
		t.Fatal(err)
	}
	if err := h.Names.Save("greenhouse", key.ID); err != nil {
		t.Fatal(err)
	}
	greenhouse := state.Device{Service: key.ID, Name: "greenhouse", Link: "udp:127.0.0.1:5690", Reader: key.Owner(), Manifest: edgeistry.Manifest{
		Logs: []edgeistry.LogInfo{{Name: "temperature"}, {Name: "events"}}, Functions: []edgeistry.FunctionInfo{{Name: "valve", Argument: "u8:0..100"}},
	}}
	if err := h.Devices.Save(greenhouse); err != nil {
		t.Fatal(err)
	}
	commands := offlineCommands(lines)
	if shown := slices.IndexFunc(commands, func(g guided) bool { return g.last > g.first }); len(commands) < 8 || shown < 0 {
		t.Fatalf("%d commands in the guide, want at least 8, and what they print", len(commands))
	}
	var written [][]string
	for _, g := range commands {
		c, out, errs := testCLI(nil)
		code := c.run(context.Background(), append(slices.Clone(g.words[1:]), "--home", dir))
		want := 0
		if g.words[2] == "explain" {
			want = 4 // each shows what is denied
		}
		if code != want {
			t.Fatalf("%s: exit code %d, want %d\n%s%s", strings.Join(g.words, " "), code, want, out, errs)
		}
		stands := lines[g.first:g.last]
		got := strings.Split(strings.TrimRight(out.String()+errs.String(), "\n"), "\n")
		for i := range got {
			got[i] = strings.TrimRight("    "+masked(got[i], stands), " ")
		}
		if len(stands) == 0 {
			got = nil
		}
		if !slices.Equal(got, stands) && !*update {
			t.Errorf("%s prints\n%s\nthe guide has\n%s\ngo test ./cmd/edgeistry -run TestGuide -update", strings.Join(g.words, " "), strings.Join(got, "\n"), strings.Join(stands, "\n"))
		}
		written = append(written, got)
	}
	if !*update {
		return
	}
	for i, g := range slices.Backward(commands) {
		lines = slices.Replace(lines, g.first, g.last, written[i]...)
	}
	if err := os.WriteFile(guide, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}

var word = regexp.MustCompile(`'[^']*'|\S+`)

// offlineCommands finds the commands of the guide that need neither node nor terminal.
func offlineCommands(lines []string) []guided {
	var found []guided
	for i := 0; i < len(lines); i++ {
		line, ok := strings.CutPrefix(lines[i], "    $ ")
		if !ok {
			continue
		}
		g := guided{first: i + 1, last: i + 1}
		for j := i + 1; j < len(lines) && !strings.HasPrefix(lines[j], "    $ ") && (lines[j] == "" || strings.HasPrefix(lines[j], "    ")); j++ {
			if lines[j] != "" {
				g.last = j + 1
			}
		}
		for _, w := range word.FindAllString(line, -1) {
			g.words = append(g.words, strings.Trim(w, "'"))
		}
		if len(g.words) > 2 && g.words[1] == "cap" && slices.Contains([]string{"mint", "attenuate", "inspect", "explain"}, g.words[2]) {
			found = append(found, g)
		}
	}
	return found
}

// fresh is what differs from one run to the next: the service, and the guard's hint.
var fresh = regexp.MustCompile(`k51[0-9a-z]{40,}|guard [0-9a-f]{8}`)

// masked puts what stands in the guide in place of what is fresh.
func masked(line string, stands []string) string {
	return fresh.ReplaceAllStringFunc(line, func(got string) string {
		for _, s := range fresh.FindAllString(strings.Join(stands, "\n"), -1) {
			if s[:3] == got[:3] {
				return s
			}
		}
		return got
	})
}

// TestPagesMakeWhatTheyUse checks that every capability of the keychain that a command of a page names was made, imported or
// claimed by a command before it on that page.
func TestPagesMakeWhatTheyUse(t *testing.T) {
	made := regexp.MustCompile(`--save ([a-z0-9.-]+/[a-z0-9.-]+)|cap import ([a-z0-9.-]+/[a-z0-9.-]+)|--name ([a-z0-9.-]+)`)
	used := regexp.MustCompile(`(?:--cap|--guard|cap (?:attenuate|show|inspect|explain|reserve|revoke|discharge)) ([a-z0-9.-]+/[a-z0-9.-]+)`)
	for _, page := range []string{"../../README.md", guide} { // docs/guide/revoke.md goes on from the guide
		raw, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		known := map[string]bool{"node/owner": true}
		for i, line := range strings.Split(string(raw), "\n") {
			if !strings.Contains(line, "edgeistry ") || !strings.HasPrefix(line, "    ") {
				continue
			}
			for _, m := range used.FindAllStringSubmatch(line, -1) {
				if !known[m[1]] {
					t.Errorf("%s:%d uses %s, which no command before it makes", page, i+1, m[1])
				}
			}
			for _, m := range made.FindAllStringSubmatch(line, -1) {
				known[m[1]+m[2]] = true
				if m[3] != "" {
					known[m[3]+"/owner"] = true
				}
			}
		}
	}
}
