package mesh

import (
	"errors"
	"testing"

	"github.com/edgeistry/edgeistry/internal/dialerror"
)

func TestShortDialError(t *testing.T) {
	err := errors.New("failed to dial: failed to dial 12D3KooWA: all dials failed\n  * [/ip4/127.0.0.1/tcp/1] connection refused")
	if got, want := dialerror.Explain(err).Error(), "[/ip4/127.0.0.1/tcp/1] connection refused"; got != want {
		t.Errorf("Explain = %q, want %q", got, want)
	}
}
