package node

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/config"
	"github.com/edgeistry/edgeistry/node/state"
)

// TestAcceptFork restores the home of a log from an older backup, with which entry numbers are used a second time. Whoever copied the log
// says so, keeps the copy as evidence, and follows the new history when told to.
func TestAcceptFork(t *testing.T) {
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", port.Addr().(*net.TCPAddr).Port)
	if err := port.Close(); err != nil {
		t.Fatal(err)
	}
	st := testHome(t, func(c *config.Config) { c.Listen = []string{address} })
	home, client := startNode(t, st)
	add := func(client *api.Client, payloads ...string) {
		t.Helper()
		for _, p := range payloads {
			if _, err := client.Append(t.Context(), api.AppendRequest{Log: "events", Payload: []byte(p)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	restart := func() {
		t.Helper()
		var err error
		if st, err = state.Open(st.Dir()); err != nil {
			t.Fatal(err)
		}
		home, client = startNode(t, st)
	}
	add(client, "1", "2", "3")
	if err := home.Close(); err != nil {
		t.Fatal(err)
	}
	backup := t.TempDir()
	if err := os.CopyFS(filepath.Join(backup, "data"), os.DirFS(st.DataDir())); err != nil {
		t.Fatal(err)
	}
	witness, err := os.ReadFile(st.WitnessFile())
	if err != nil {
		t.Fatal(err)
	}
	restart()
	_, c := startNode(t, testHome(t, func(c *config.Config) { c.Seeds = []string{seedOf(home)} }))
	module, err := os.ReadFile(filepath.Join("..", "function", "testdata", "echo.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	id := st.Keys.Own().ID.String()
	if _, err := c.Deploy(t.Context(), api.DeployRequest{Name: "copy", Module: module, On: id + "/events", To: "copies", Capability: st.Keys.Own().Owner().Text()}); err != nil {
		t.Fatal(err)
	}
	function := func(what string, check func(api.Function) bool) {
		t.Helper()
		eventually(t, what, func() error {
			list, err := c.Functions(t.Context())
			if err == nil && !check(list[0]) {
				err = fmt.Errorf("%+v", list[0])
			}
			return err
		})
	}
	function("it knows where the log stands", func(f api.Function) bool { return f.State == "running" && f.Cursor.Sequence == 3 })
	add(client, "4", "5")
	function("both entries after the deployment", func(f api.Function) bool { return f.Outputs == 2 })
	if _, err := c.AcceptFork(t.Context(), api.ForkRequest{Service: id, Log: "events"}); api.KindOf(err) != api.Usage {
		t.Errorf("accepting a fork where there is none: %v", err)
	}

	if err := home.Close(); err != nil {
		t.Fatal(err)
	}
	err = errors.Join(os.RemoveAll(st.DataDir()), os.CopyFS(st.DataDir(), os.DirFS(filepath.Join(backup, "data"))), os.WriteFile(st.WitnessFile(), witness, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	restart()
	function("the home ends before the copy", func(f api.Function) bool { return f.PullState == "forked" && f.PullProblem != "" })
	add(client, "4 again", "5 again", "6")
	function("other entries of the same numbers", func(f api.Function) bool { return f.PullState == "forked" })

	accepted, err := c.AcceptFork(t.Context(), api.ForkRequest{Service: id, Log: "events"})
	if err != nil || accepted.Entries != 5 {
		t.Fatalf("AcceptFork = %+v, %v, want the 5 entries of the old copy", accepted, err)
	}
	kept, err := os.ReadFile(accepted.Kept)
	if err != nil || bytes.Count(kept, []byte("\n")) != 5 {
		t.Errorf("%s: %q, %v", accepted.Kept, kept, err)
	}
	function("it follows again", func(f api.Function) bool { return f.PullState == "following" && f.State == "running" })
	add(client, "7")
	function("what comes after", func(f api.Function) bool { return f.Outputs == 3 })
	got, err := c.Read(t.Context(), api.ReadRequest{Service: id, Log: "events", From: 1})
	if err != nil || len(got.Entries) != 7 || string(got.Entries[3].Payload) != "4 again" {
		t.Errorf("the copy of the new history: %+v, %v", got, err)
	}
}
