package proxy

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/coap"
)

// offLink is the way to a device that can be switched off.
type offLink struct{ off atomic.Bool }

func (l *offLink) Exchange(ctx context.Context, _ *coap.Message) (*coap.Message, coap.Legs, error) {
	if !l.off.Load() {
		return &coap.Message{Code: coap.CodeChanged, Payload: make([]byte, 16)}, coap.Legs{}, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second, coap.ErrTimeout)
	defer cancel()
	<-ctx.Done()
	return nil, coap.Legs{}, context.Cause(ctx)
}

// TestAway: the first request to a silent device waits its whole time. Those after it wait 2 s, all together, until the device answers.
func TestAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var boots atomic.Uint32
		p, err := New(Config{Booted: func(edgeistry.ServiceID, uint32) { boots.Add(1) }})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		link := &offLink{}
		id := edgeistry.ServiceID{1}
		if err := p.AddDevice(id, edgeistry.Manifest{}, link); err != nil {
			t.Fatal(err)
		}
		ask := func(ctx context.Context) (*coap.Message, time.Duration) {
			m, err := coap.NewRequest(coap.CodePOST, "/h", nil, make([]byte, 20))
			if err != nil {
				t.Fatal(err)
			}
			m.Set(coap.OptionURIHost, []byte(id.String()))
			began := time.Now()
			return p.ServeCoAP(ctx, coap.Source{Peer: "local", Local: true}, m), time.Since(began)
		}
		if resp, _ := ask(t.Context()); resp.Code != coap.CodeChanged || boots.Load() != 1 {
			t.Fatalf("a device that is there: %s, %d boots", coap.CodeText(resp.Code), boots.Load())
		}
		link.off.Store(true)
		if resp, took := ask(t.Context()); resp.Code != coap.CodeGatewayTimeout || took != 30*time.Second {
			t.Errorf("before anybody knows: %s after %v", coap.CodeText(resp.Code), took)
		}
		if _, away := p.Away(id); !away {
			t.Error("the device is not away")
		}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				resp, took := ask(t.Context())
				if age, _ := resp.GetUint(coap.OptionMaxAge); resp.Code != coap.CodeUnavailable || took > 2*time.Second || age != awayAge ||
					!strings.HasPrefix(string(resp.Payload), "the device is away since 2000-01-01 00:00:00 UTC") {
					t.Errorf("away: %s %q after %v", coap.CodeText(resp.Code), resp.Payload, took)
				}
			})
		}
		wg.Wait()
		link.off.Store(false)
		if resp, _ := ask(t.Context()); resp.Code != coap.CodeChanged {
			t.Errorf("back: %s", coap.CodeText(resp.Code))
		}
		if _, away := p.Away(id); away {
			t.Error("a device that answers is away")
		}
		link.off.Store(true)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		ask(short)
		if _, away := p.Away(id); away {
			t.Error("a device that was silent for a second is away")
		}
		if resp, took := ask(Patience(t.Context(), 5*time.Second)); resp.Code != coap.CodeGatewayTimeout || took != 5*time.Second {
			t.Errorf("a request with little patience: %s after %v", coap.CodeText(resp.Code), took)
		}
		if _, away := p.Away(id); !away {
			t.Error("a device that was silent for 5 s is not away")
		}
	})
}
