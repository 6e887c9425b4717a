package client_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
)

// ration is a home node that lets so many hellos and opens through at once and then one in each interval, as package proxy does.
type ration struct {
	coap.Doer
	left  float64
	every time.Duration

	mu      sync.Mutex
	counted time.Time
}

func (r *ration) Do(ctx context.Context, req *coap.Message) (*coap.Message, error) {
	if capability.IsHello(req) || capability.IsOpen(req) {
		r.mu.Lock()
		now := time.Now()
		if !r.counted.IsZero() {
			r.left += float64(now.Sub(r.counted)) / float64(r.every)
		}
		r.counted = now
		refuse := r.left < 1
		if !refuse {
			r.left--
		}
		r.mu.Unlock()
		if refuse {
			return coap.TooMany(1), nil
		}
	}
	return r.Doer.Do(ctx, req)
}

// TestCallWaitsForItsTurn: a home node that asks callers to come again gets them again, until all were served.
func TestCallWaitsForItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, owner := greenhouse()
		via := &ration{Doer: w, left: 20, every: 500 * time.Millisecond}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		c := client.New(client.Config{})
		var wg sync.WaitGroup
		for range 20 {
			narrowed, err := owner.Attenuate(rand.Reader, capability.FrameSpec{})
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				if _, err := c.Call(ctx, via, narrowed, read(t)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

// TestCallSendsTheSameAgain: a request that acts is never made anew for want of room on the way. The same bytes are sent again.
func TestCallSendsTheSameAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, busy := range []*coap.Message{coap.TooMany(1), coap.Unavailable(2)} {
			w, owner := greenhouse()
			var seen [][]byte
			w.before = func(req *coap.Message) (*coap.Message, error) {
				if req.Code != coap.CodePOST || capability.IsHello(req) {
					return nil, nil
				}
				v, _ := req.Get(coap.OptionRequest)
				if seen = append(seen, v); len(seen) <= 5 {
					return busy, nil
				}
				return nil, nil
			}
			request := call(t, 7)
			request.Hold = time.Minute
			if _, err := client.New(client.Config{}).Call(t.Context(), w, owner, request); err != nil {
				t.Fatal(err)
			}
			for _, v := range seen {
				if !bytes.Equal(v, seen[0]) {
					t.Errorf("proof %x after %x: the request was made anew", v, seen[0])
				}
			}
			if moves, valve := w.device.Moves(); moves != 1 || valve != 7 || len(seen) != 6 {
				t.Errorf("%d moves to %d in %d requests, want 1 to 7 in 6", moves, valve, len(seen))
			}
		}
	})
}

// TestCallSaysThatItWaited: when the time is over, the error says what was waited for and how long.
func TestCallSaysThatItWaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, owner := greenhouse()
		w.before = func(*coap.Message) (*coap.Message, error) { return coap.TooMany(1), nil }
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := client.New(client.Config{}).Call(ctx, w, owner, read(t))
		var denied *client.Denied
		if !errors.As(err, &denied) || denied.Waited < 7*time.Second || !strings.Contains(denied.Error(), "too many requests") {
			t.Errorf("Call = %v (%+v), want what was waited for", err, denied)
		}
		if w.asked < 5 || w.asked > 12 {
			t.Errorf("asked %d times in 10 s, want about once in 1 to 2 s", w.asked)
		}
		w.asked = 0
		w.before = func(*coap.Message) (*coap.Message, error) { return coap.Unavailable(60), nil }
		if _, err := client.New(client.Config{}).Call(t.Context(), w, owner, read(t)); !errors.As(err, &denied) || w.asked != 1 {
			t.Errorf("an answer that says to come again in a minute: %v after %d requests, want it at once", err, w.asked)
		}
	})
}

// TestCallWaitsForTheClock: that a device which has just started does not know the time yet passes, and it proves that the request
// did not run.
func TestCallWaitsForTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, owner := greenhouse()
		until, err := owner.Attenuate(rand.Reader, capability.FrameSpec{Limits: []capability.Limit{{
			Type: capability.TypeExpiry, Unix: uint32(time.Now().Add(time.Hour).Unix()),
		}}})
		if err != nil {
			t.Fatal(err)
		}
		tell := func() {
			time.Sleep(1500 * time.Millisecond)
			told := client.Request{Message: clock(t)}
			if _, err := client.New(client.Config{}).Call(t.Context(), w, owner, told); err != nil {
				t.Error(err)
			}
		}
		for _, request := range []client.Request{read(t), call(t, 3)} {
			w.device.Reboot()
			go tell()
			if _, err := client.New(client.Config{}).Call(t.Context(), w, until, request); err != nil {
				t.Errorf("%s: %v", request.Message.Path(), err)
			}
			synctest.Wait()
		}
		if moves, _ := w.device.Moves(); moves != 1 {
			t.Errorf("%d moves, want 1", moves)
		}
		w.device.Reboot()
		began := time.Now()
		_, err = client.New(client.Config{}).Call(t.Context(), w, until, read(t))
		var denied *client.Denied
		if took := time.Since(began); !errors.As(err, &denied) || denied.Constraint != capability.TypeExpiry || took > 10*time.Second {
			t.Errorf("a device that nobody tells the time: %v after %v", err, took)
		}
	})
}

// clock returns the request that sets a device's clock.
func clock(t *testing.T) *coap.Message {
	t.Helper()
	m, err := coap.NewRequest(coap.CodePOST, "/t", nil, binary.BigEndian.AppendUint32(nil, uint32(time.Now().Unix())))
	if err != nil {
		t.Fatal(err)
	}
	return m
}
