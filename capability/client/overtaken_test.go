package client_test

import (
	"errors"
	"testing"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
)

// TestCallOvertaken: a question that waited so long that its sequence is below the window is asked anew with a new one, once. A request
// that acts is not.
func TestCallOvertaken(t *testing.T) {
	w, owner := greenhouse()
	c := client.New(client.Config{})
	if _, err := c.Call(bounded(t), w, owner, read(t)); err != nil {
		t.Fatal(err)
	}
	refusals := 1
	w.before = func(*coap.Message) (*coap.Message, error) {
		if refusals == 0 {
			return nil, nil
		}
		refusals--
		return capability.Refusal(capability.ReasonSequence), nil
	}
	if _, err := c.Call(bounded(t), w, owner, read(t)); err != nil {
		t.Errorf("a question that was overtaken: %v", err)
	}
	var denied *client.Denied
	refusals = 2
	if _, err := c.Call(bounded(t), w, owner, read(t)); !errors.As(err, &denied) || denied.Reason != capability.ReasonSequence || refusals != 0 {
		t.Errorf("a question that is refused again: %v, want reason 8", err)
	}
	refusals = 1
	if _, err := c.Call(bounded(t), w, owner, call(t, 1)); !errors.As(err, &denied) || !denied.Unknown {
		t.Errorf("a request that acts: %v, want that nobody knows whether it ran", err)
	}
}
