package node

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/node/api"
)

// TestClaimWrongPort claims at a UDP address at which nothing listens: the claim ends soon, names step, cause and address,
// and says what to check.
func TestClaimWrongPort(t *testing.T) {
	_, c := startNode(t, testHome(t, nil))
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := socket.LocalAddr().String()
	socket.Close()
	_, setup, _ := greenhouse(t, nil)
	began := time.Now()
	_, err = c.Claim(t.Context(), api.ClaimRequest{SetupCode: setup, Link: "udp:" + address, Name: "greenhouse"}, nil)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the claim took %v", took)
	}
	if api.KindOf(err) != api.NotFound {
		t.Fatalf("Claim = %v, want a kind of %v", err, api.NotFound)
	}
	for _, want := range []string{"step 2 of 5", "nothing listens on udp:" + address, "check --link"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q", err, want)
		}
	}
}
