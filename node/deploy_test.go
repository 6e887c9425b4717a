package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/config"
	"github.com/edgeistry/edgeistry/node/state"
)

// TestDeployHistoryIsNoNews: a function that is deployed at a node which has to copy the log first runs on what comes after the deployment,
// and so does one that is deployed while the home of the log is away.
func TestDeployHistoryIsNoNews(t *testing.T) {
	f := newFarm(t)
	module, err := os.ReadFile(filepath.Join("..", "function", "testdata", "echo.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	held := func(c *api.Client, service string, want uint32) {
		t.Helper()
		eventually(t, "the copy", func() error {
			r, err := c.Read(t.Context(), api.ReadRequest{Service: service, Log: "temperature", Last: 1, Mirror: service == "greenhouse"})
			if err == nil && r.Head.Sequence != want {
				err = fmt.Errorf("head %d, want %d", r.Head.Sequence, want)
			}
			return err
		})
	}
	held(f.client, "greenhouse", 3)
	cloud, c := startNode(t, testHome(t, func(c *config.Config) { c.Seeds = []string{seedOf(f.node)} }))
	deploy := func(name, log string) (*api.Function, error) {
		return c.Deploy(t.Context(), api.DeployRequest{
			Name: name, Module: module, On: f.id.String() + "/" + log, To: name, Capability: mirrorOf(t, f.key()),
		})
	}
	if _, err := deploy("typo", "temprature"); api.KindOf(err) != api.NotFound || !strings.Contains(err.Error(), "it has: temperature") {
		t.Errorf("deployed on a log that is not there: %v", err)
	}
	if got, err := deploy("early", "temperature"); err != nil || got.State != "running" || got.Cursor.Sequence != 3 {
		t.Fatalf("Deploy = %+v, %v, want it to run from the log's head", got, err)
	}
	held(c, f.id.String(), 3)
	outputs := func(name string, want int) {
		t.Helper()
		eventually(t, name, func() error {
			list, err := c.Functions(t.Context())
			for _, got := range list {
				if got.Name == name && (got.Outputs != uint64(want) || got.State != "running") {
					err = fmt.Errorf("%+v, want %d outputs", got, want)
				}
			}
			return err
		})
	}
	f.device.Append([]byte{0, 210})
	outputs("early", 1)

	if err := f.node.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := deploy("late", "temperature"); err != nil || got.State != "waiting" {
		t.Fatalf("Deploy while the home is away = %+v, %v, want it to wait", got, err)
	}
	f.device.Append([]byte{0, 211}, []byte{0, 212})
	if f.state, err = state.Open(f.state.Dir()); err != nil {
		t.Fatal(err)
	}
	f.node, f.client = startNode(t, f.state)
	info, err := peer.AddrInfoFromString(seedOf(f.node))
	if err != nil {
		t.Fatal(err)
	}
	if err := cloud.host.Connect(t.Context(), *info); err != nil {
		t.Fatal(err)
	}
	outputs("early", 3)
	eventually(t, "late", func() error {
		list, err := c.Functions(t.Context())
		for _, got := range list {
			if got.Name == "late" && got.State != "running" {
				err = fmt.Errorf("%+v", got)
			}
		}
		return err
	})
	list, err := c.Functions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var before uint64
	for _, got := range list {
		if got.Name == "late" {
			before = got.Outputs // it may have learned the head before the last entries were there
		}
	}
	if before > 2 {
		t.Errorf("%d outputs of a function that was deployed while the home was away: history was run as news", before)
	}
	f.device.Append([]byte{0, 213})
	outputs("early", 4)
}
