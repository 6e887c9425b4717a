package system

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/coap/link"
	"github.com/edgeistry/edgeistry/e2e/harness"
	"github.com/edgeistry/edgeistry/node/api"
)

// direct reads the device's temperature under a capability past every node, and says why it was refused.
func direct(t *testing.T, ctx context.Context, s *site, token string) capability.Reason {
	t.Helper()
	c, err := capability.Parse(token)
	if err != nil {
		t.Fatal(err)
	}
	link, err := link.Open(s.device.Link, link.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	m, err := coap.NewRequest(coap.CodeGET, "/l/temperature", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	via := coap.DoerFunc(func(ctx context.Context, req *coap.Message) (*coap.Message, error) {
		req = req.Clone()
		req.Remove(coap.OptionURIHost)
		return link.Do(ctx, req)
	})
	_, err = client.New(client.Config{}).Call(ctx, via, c, client.Request{Message: m})
	var denied *client.Denied
	switch {
	case errors.As(err, &denied):
		return denied.Reason
	case err != nil:
		t.Fatal(err)
	}
	return capability.ReasonNone
}

// text returns a capability of the node's keychain.
func text(t *testing.T, ctx context.Context, n *harness.Node, name string) string {
	t.Helper()
	r := n.CLI(ctx, "cap", "show", name)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(r.Stdout))
}

func must(t *testing.T, r harness.Result) string {
	t.Helper()
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return string(r.Stdout)
}

// allDone waits until the device has confirmed everything.
func allDone(t *testing.T, ctx context.Context, n *harness.Node) {
	t.Helper()
	err := harness.Until(ctx, 20*time.Second, func() error {
		var all []api.Revocation
		if err := n.JSON(ctx, &all, "cap", "revocations", "shed"); err != nil {
			return err
		}
		for _, r := range all {
			if r.State == api.RevokedWaiting {
				return fmt.Errorf("%+v", r)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRevoke ends what was shared while the device is away: at the home at once, at the device when it is back, before the next epoch ends
// everything.
func TestRevoke(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	s := startSite(t, ctx)
	var status api.Status
	if err := s.node.JSON(ctx, &status, "status"); err != nil {
		t.Fatal(err)
	}
	lab := startNode(t, ctx, t.TempDir(), "lab", "--no-listen", "--seed", status.Addrs[0])
	tokens := map[string]string{}
	var err error
	for name, branch := range map[string]string{"shed/anna": "3", "shed/bob": "3", "shed/carl": "4"} {
		must(t, s.node.CLI(ctx, "cap", "mint", "shed", "--read", "temperature", "--branch", branch, "--save", name))
		if tokens[name], err = s.node.Give(ctx, lab, name); err != nil {
			t.Fatal(err)
		}
	}
	read := func(n *harness.Node, name string) harness.Result {
		return n.CLI(ctx, "log", "read", "shed/temperature", "--last", "1", "--cap", name)
	}
	if err := harness.Until(ctx, 20*time.Second, func() error { return read(lab, "shed/anna").Err() }); err != nil {
		t.Fatal(err)
	}
	if err := s.device.Stop(); err != nil {
		t.Fatal(err)
	}
	r := s.node.CLI(ctx, "cap", "revoke", "shed/anna")
	out := must(t, r)
	if !strings.Contains(out, "waiting for the device") || r.Took > 10*time.Second {
		t.Errorf("cap revoke took %v and said %q, want it to say at once that it waits for the device", r.Took, out)
	}
	if !strings.Contains(string(r.Stderr), "also ends: shed/bob: same branch") {
		t.Errorf("cap revoke said %q before it acted, want what else ends", r.Stderr)
	}
	if r := read(lab, "shed/anna"); r.Code != 4 || !strings.Contains(string(r.Stderr), "deny list") {
		t.Errorf("anna while the device is away: exit code %d, %s; want 4 by the deny list", r.Code, r.Stderr)
	}
	if out := must(t, s.node.CLI(ctx, "cap", "ls")); strings.Count(out, "revoked: generation 0 of branch 3 is over") != 2 {
		t.Errorf("the keychain does not say that two are over:\n%s", out)
	}
	if err := s.device.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	allDone(t, ctx, s.node)
	for name, want := range map[string]capability.Reason{"shed/anna": capability.ReasonGeneration, "shed/bob": capability.ReasonGeneration, "shed/carl": capability.ReasonNone} {
		if got := direct(t, ctx, s, tokens[name]); got != want {
			t.Errorf("%s at the device itself: reason %d, want %d", name, got, want)
		}
	}
	if err := read(lab, "shed/carl").Err(); err != nil {
		t.Error(err)
	}

	before := text(t, ctx, s.node, "shed/owner")
	must(t, s.node.CLI(ctx, "cap", "revoke", "shed/owner", "--epoch", "--yes"))
	allDone(t, ctx, s.node)
	if got := direct(t, ctx, s, before); got != capability.ReasonEpoch {
		t.Errorf("the owner's capability of epoch 1: reason %d, want 14", got)
	}
	if got := direct(t, ctx, s, tokens["shed/carl"]); got != capability.ReasonEpoch {
		t.Errorf("carl in epoch 2: reason %d, want 14", got)
	}
	if r := read(lab, "shed/carl"); r.Code != 4 {
		t.Errorf("carl in epoch 2: exit code %d, want 4", r.Code)
	}
	must(t, s.node.CLI(ctx, "call", "shed/valve", "20"))
	if got := direct(t, ctx, s, text(t, ctx, s.node, "shed/owner")); got != capability.ReasonNone {
		t.Errorf("the owner in epoch 2: reason %d", got)
	}
}

// TestDeviceClock lets a capability expire at a device that does not know the time until its home node tells it.
func TestDeviceClock(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	s := startSite(t, ctx)
	must(t, s.node.CLI(ctx, "cap", "attenuate", "shed/owner", "--read", "temperature", "--until", "1h", "--save", "shed/anna"))
	anna := text(t, ctx, s.node, "shed/anna")
	if err := errors.Join(s.node.Stop(), s.device.Stop(), s.device.Restart(ctx)); err != nil {
		t.Fatal(err)
	}
	if got := direct(t, ctx, s, anna); got != capability.ReasonNotEvaluable {
		t.Errorf("before the device knows the time: reason %d, want 12", got)
	}
	if _, err := s.node.Start(ctx); err != nil {
		t.Fatal(err)
	}
	until := func(what, token string, want capability.Reason) {
		t.Helper()
		if err := harness.Until(ctx, 20*time.Second, func() error {
			if got := direct(t, ctx, s, token); got != want {
				return fmt.Errorf("reason %d, want %d", got, want)
			}
			return nil
		}); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	until("once the home node has told the time", anna, capability.ReasonNone)
	must(t, s.node.CLI(ctx, "cap", "attenuate", "shed/owner", "--read", "temperature", "--until", "5s", "--save", "shed/bob"))
	bob := text(t, ctx, s.node, "shed/bob")
	if got := direct(t, ctx, s, bob); got != capability.ReasonNone {
		t.Errorf("before it expires: reason %d", got)
	}
	until("after it has expired", bob, capability.ReasonDenied)
	if got := direct(t, ctx, s, anna); got != capability.ReasonNone {
		t.Errorf("the one that has not expired: reason %d", got)
	}
}
