package node

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestDatastoreEnded: whoever runs the node is told why the datastore cannot go on, and the datastore does not go on.
func TestDatastoreEnded(t *testing.T) {
	told := make(chan error, 1)
	n := &Node{state: testHome(t, nil), fatal: func(err error) { told <- err }, stopped: make(chan struct{})}
	returned := make(chan struct{})
	go func() { // never ends: that is the promise to pebble
		n.datastoreEnded(errors.New("a file is damaged"))
		close(returned)
	}()
	err := <-told
	for _, want := range []string{"a file is damaged", "to do: ", n.state.DataDir()} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("told %q, want it with %q", err, want)
		}
	}
	<-n.Stopped()
	if n.Err() == nil {
		t.Error("the node stopped without a cause")
	}
	select {
	case <-returned:
		t.Error("the datastore went on")
	case <-time.After(50 * time.Millisecond):
	}
}
