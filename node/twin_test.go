package node

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/edgeistry/edgeistry/node/config"
	"github.com/edgeistry/edgeistry/node/state"
)

// TestTwoOfOne runs a copy of a state directory beside the original. The next look or publication of the original shows it
// in its status.
func TestTwoOfOne(t *testing.T) {
	seed, _ := startNode(t, testHome(t, nil))
	h := testHome(t, func(c *config.Config) { c.Seeds = []string{seedOf(seed)} })
	n, c := startNode(t, h)
	eventually(t, "the first publication", func() error {
		for _, p := range n.registry.Status().Published {
			if p.Acks > 0 {
				return nil
			}
		}
		return errors.New("nobody stores a record of the node")
	})
	dir := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(dir, os.DirFS(h.Dir())); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o600)
		if d.IsDir() {
			mode = 0o700
		}
		return os.Chmod(path, mode)
	})
	if err != nil {
		t.Fatal(err)
	}
	double, err := state.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, _ := startNode(t, double)
	own := h.Keys.Own().ID
	sequence := func(n *Node) uint64 {
		a, _ := n.registry.Known(own)
		return a.Record.Sequence
	}
	eventually(t, "the copy is ahead", func() error {
		if sequence(m) >= sequence(n)+2 {
			return nil
		}
		m.publisher.again()
		return errors.New("the copy has published too little")
	})
	n.publisher.again() // the look of every minute shows it without that
	eventually(t, "the status names the copy", func() error {
		s, err := c.Status(t.Context())
		if err == nil && (s.Twin == nil || len(s.Twin.Addrs) == 0) {
			err = errors.New("no twin")
		}
		return err
	})
}
