package node

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/edgeistry/edgeistry/logstore"
)

// TestAdvice: what to do about a datastore follows from the cause, and nobody is told to put data away that is not damaged.
func TestAdvice(t *testing.T) {
	st := testHome(t, nil)
	n := &Node{state: st}
	for _, tt := range []struct {
		name         string
		err          error
		want, absent string
	}{
		{"full disk", &logstore.FullError{Err: syscall.ENOSPC}, "make room", "backup"},
		{"lost writes", &logstore.LossError{Witness: st.WitnessFile(), Have: 3, Acknowledged: 5}, "newest backup", "mv " + st.DataDir()},
		{"empty witness", &logstore.WitnessError{Path: st.WitnessFile()}, "mv " + st.WitnessFile(), "backup"},
		{"damage", &logstore.CorruptError{Detail: "checksum"}, "from a backup", "make room"},
		{"anything else", errors.New("input/output error"), "leave the files as they are", "backup"},
	} {
		got := n.advise(fmt.Errorf("open: %w", tt.err)).Error()
		if !strings.Contains(got, tt.want) || strings.Contains(got, tt.absent) || strings.Count(got, "to do:") != 1 {
			t.Errorf("%s: %q, want one remedy with %q and without %q", tt.name, got, tt.want, tt.absent)
		}
	}
}

// TestEmptiedWitness: the one remedy that the error names works, and the logs are all there.
func TestEmptiedWitness(t *testing.T) {
	f := newFarm(t)
	if err := f.node.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(f.state.WitnessFile(), 0); err != nil {
		t.Fatal(err)
	}
	_, err := New(t.Context(), f.state, Config{Logger: quiet()})
	remedy := fmt.Sprintf("mv %s %s.old", f.state.WitnessFile(), f.state.WitnessFile())
	if err == nil || !strings.Contains(err.Error(), remedy) || strings.Count(err.Error(), "to do:") != 1 {
		t.Fatalf("start with an empty witness: %v, want %q", err, remedy)
	}
	if err := os.Rename(f.state.WitnessFile(), f.state.WitnessFile()+".old"); err != nil {
		t.Fatal(err)
	}
	f.restart()
}
