package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/coap/link"
	"github.com/edgeistry/edgeistry/coap/link/linktest"
	"github.com/edgeistry/edgeistry/proxy"
)

var setup = capability.SetupCode{ID: [4]byte{0xDE, 0xAD, 0xBE, 0xEF}, Seed: [16]byte{1, 2, 3}}

func isSecond(req *coap.Message) bool {
	return req.Path() == "/k" && len(req.Payload) > 0 && req.Payload[0] == 2
}

// TestClaim goes from a factory-new device to a call with the owner's capability.
func TestClaim(t *testing.T) {
	p := start(t, proxy.Config{})
	l := &testLink{device: linktest.New(setup)}
	var steps []string
	caller := client.New(client.Config{})
	claimed, err := p.Claim(bounded(t), proxy.ClaimRequest{
		Link: l, Setup: setup, Service: service,
		Progress: func(step int, text string) {
			steps = append(steps, fmt.Sprintf("[%d/%d] %s", step, proxy.ClaimSteps, text))
		},
		Works: func(ctx context.Context, c proxy.Claimed) error {
			if err := p.AddDevice(service, c.Manifest, l); err != nil {
				return err
			}
			head, err := coap.NewRequest(coap.CodeGET, "/l/temperature", nil, nil)
			if err != nil {
				return err
			}
			_, err = caller.Call(ctx, p.Local(), capability.Owner(service, c.Key, 1), client.Request{Message: head})
			return err
		},
		Publish: func(context.Context) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"[1/5] link open", "[2/5] device answers (test, greenhouse/1.0)", "[3/5] keys agreed", "[4/5] capability works", "[5/5] record published"}
	if fmt.Sprint(steps) != fmt.Sprint(want) {
		t.Errorf("steps %q, want %q", steps, want)
	}
	if claimed.Board != "test" || len(claimed.Manifest.Logs) != 1 {
		t.Errorf("claimed %+v", claimed)
	}
	_, err = p.Claim(bounded(t), proxy.ClaimRequest{Link: l, Setup: setup, Service: service})
	var failed *proxy.ClaimError
	if !errors.As(err, &failed) || failed.Step != 3 || failed.Reason != capability.ReasonClaimClosed {
		t.Errorf("a second claim: %v, want step 3, reason 17", err)
	}
}

// TestClaimLostAnswers: the second answer is lost again and again, and the claim ends well all the same.
func TestClaimLostAnswers(t *testing.T) {
	p := start(t, proxy.Config{})
	l := &testLink{device: linktest.New(setup)}
	lost := 0
	l.device.Before = func(req *coap.Message) bool {
		if isSecond(req) && lost < 2 {
			lost++
			return true
		}
		return false
	}
	l.before = nil
	lossy := lossyLink{l}
	claimed, err := p.Claim(bounded(t), proxy.ClaimRequest{Link: lossy, Setup: setup, Service: service})
	if err != nil || lost != 2 || claimed == nil {
		t.Fatalf("Claim = %v, %v after %d losses", claimed, err, lost)
	}
}

// lossyLink turns an answer that the device does not give into a timeout, as a real link does.
type lossyLink struct{ *testLink }

func (l lossyLink) Exchange(ctx context.Context, req *coap.Message) (*coap.Message, coap.Legs, error) {
	resp, legs, err := l.testLink.Exchange(ctx, req)
	if errors.Is(err, coap.ErrMalformed) {
		err = coap.ErrTimeout
	}
	return resp, legs, err
}

// TestClaimResume: the process ends after the device was claimed and before it knew. What Keep was given finishes the claim.
func TestClaimResume(t *testing.T) {
	p := start(t, proxy.Config{})
	l := &testLink{device: linktest.New(setup)}
	l.device.Before = isSecond
	var state *proxy.ClaimState
	req := proxy.ClaimRequest{
		Link: lossyLink{l}, Setup: setup, Service: service,
		Keep: func(s proxy.ClaimState) error {
			state = &s
			return nil
		},
	}
	_, err := p.Claim(bounded(t), req)
	var failed *proxy.ClaimError
	if !errors.As(err, &failed) || failed.Step != 3 || !errors.Is(err, coap.ErrTimeout) || state == nil {
		t.Fatalf("Claim = %v, want a timeout in step 3", err)
	}
	l.device.Before = nil
	req.Resume = state
	claimed, err := p.Claim(bounded(t), req)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.AddDevice(service, claimed.Manifest, l); err != nil {
		t.Fatal(err)
	}
	m, err := coap.NewRequest(coap.CodePOST, "/f/valve", nil, []byte{1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.New(client.Config{}).Call(bounded(t), p.Local(), capability.Owner(service, claimed.Key, 1), client.Request{Message: m}); err != nil {
		t.Errorf("the key of the resumed claim: %v", err)
	}
}

func TestClaimFails(t *testing.T) {
	p := start(t, proxy.Config{})
	disk := errors.New("no space left")
	for _, c := range []struct {
		name   string
		change func(*proxy.ClaimRequest)
		step   int
		reason capability.Reason
	}{
		{"another device", func(r *proxy.ClaimRequest) { r.Setup.ID[0] ^= 1 }, 3, capability.ReasonEpoch},
		{"another secret", func(r *proxy.ClaimRequest) { r.Setup.Seed[0] ^= 1 }, 3, capability.ReasonNone},
		{"the disk is full", func(r *proxy.ClaimRequest) { r.Keep = func(proxy.ClaimState) error { return disk } }, 3, capability.ReasonNone},
		{"it does not work", func(r *proxy.ClaimRequest) {
			r.Works = func(context.Context, proxy.Claimed) error { return disk }
		}, 4, capability.ReasonNone},
		{"not published", func(r *proxy.ClaimRequest) { r.Publish = func(context.Context) error { return disk } }, 5, capability.ReasonNone},
		{"nobody there", func(r *proxy.ClaimRequest) {
			r.Link = &testLink{before: func(context.Context, *coap.Message) (*coap.Message, error) { return nil, coap.ErrTimeout }}
		}, 2, capability.ReasonNone},
	} {
		d := linktest.New(setup)
		req := proxy.ClaimRequest{Link: &testLink{device: d}, Setup: setup, Service: service}
		c.change(&req)
		_, err := p.Claim(bounded(t), req)
		var failed *proxy.ClaimError
		if !errors.As(err, &failed) || failed.Step != c.step || failed.Reason != c.reason {
			t.Errorf("%s: %v, want step %d, reason %d", c.name, err, c.step, c.reason)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	tty, err := link.Open("serial:"+t.TempDir()+"/none", link.Config{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	_, err = p.Claim(ctx, proxy.ClaimRequest{Link: tty, Setup: setup, Service: service})
	var failed *proxy.ClaimError
	if !errors.As(err, &failed) || failed.Step != 1 || !errors.Is(err, coap.ErrLinkDown) {
		t.Errorf("no tty: %v, want step 1", err)
	}
}
