package system

import (
	"context"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/coap/link"
	"github.com/edgeistry/edgeistry/e2e/harness"
)

// TestClockSetBack: real firmware was told a time three years ahead. It refuses every capability that ends, after a restart, too, until its
// owner sets its clock back; then its restart keeps to that.
func TestClockSetBack(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	s := startSite(t, ctx)
	must(t, s.node.CLI(ctx, "cap", "attenuate", "shed/owner", "--until", "1h", "--save", "shed/anna"))
	read := func() harness.Result {
		return s.node.CLI(ctx, "log", "read", "shed/temperature", "--direct", "--cap", "shed/anna", "--last", "1")
	}
	restart := func() {
		t.Helper()
		if err := s.device.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := s.device.Restart(ctx); err != nil {
			t.Fatal(err)
		}
	}
	must(t, read())
	tellTime(t, ctx, s, time.Now().AddDate(3, 0, 0))
	if r := read(); r.Code != 4 {
		t.Errorf("with a clock from ahead: exit %d, want 4: %s", r.Code, r.Stderr)
	}
	if out := must(t, s.node.CLI(ctx, "device", "clock", "shed")); !strings.Contains(out, "ahead of this node's by") {
		t.Errorf("device clock: %q", out)
	}
	if r := s.node.CLI(ctx, "doctor"); r.Code != 1 || !strings.Contains(string(r.Stdout), "edgeistry device clock shed --set now") {
		t.Errorf("doctor: exit %d, want 1 and the command that mends it: %s", r.Code, r.Stdout)
	}
	restart()
	if r := read(); r.Code != 4 {
		t.Errorf("after a restart: exit %d, want 4: %s", r.Code, r.Stderr)
	}
	must(t, s.node.CLI(ctx, "device", "clock", "shed", "--set", "now"))
	must(t, read())
	restart()
	if err := harness.Until(ctx, 20*time.Second, func() error { return read().Err() }); err != nil {
		t.Errorf("after it was set back and started anew: %v", err)
	}
}

// tellTime sends the device a time under the owner's capability past the node.
func tellTime(t *testing.T, ctx context.Context, s *site, at time.Time) {
	t.Helper()
	owner, err := capability.Parse(text(t, ctx, s.node, "shed/owner"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := link.Open(s.device.Link, link.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	m, err := coap.NewRequest(coap.CodePOST, "/t", nil, binary.BigEndian.AppendUint32(nil, uint32(at.Unix())))
	if err != nil {
		t.Fatal(err)
	}
	via := coap.DoerFunc(func(ctx context.Context, req *coap.Message) (*coap.Message, error) {
		req = req.Clone()
		req.Remove(coap.OptionURIHost)
		return l.Do(ctx, req)
	})
	if _, err := client.New(client.Config{}).Call(ctx, via, owner, client.Request{Message: m}); err != nil {
		t.Fatal(err)
	}
}
