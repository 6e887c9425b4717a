package client_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/coap/link/linktest"
)

var (
	epochKey = capability.EpochKey{1, 2, 3}
	service  = edgeistry.ServiceID{ // some public key: nothing is signed here
		0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
		0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
	}
)

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// way is the way to a device without sockets: it takes out what a proxy takes out, and lets a test interfere.
type way struct {
	device *linktest.Device
	before func(req *coap.Message) (*coap.Message, error) // an answer or error made up on the way
	after  func(resp *coap.Message) (*coap.Message, error)

	mu     sync.Mutex
	id     uint16
	hellos int
	asked  int
}

func (w *way) Do(ctx context.Context, req *coap.Message) (*coap.Message, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	if capability.IsHello(req) {
		w.hellos++
	}
	if host, _ := req.Get(coap.OptionURIHost); string(host) != service.String() {
		return nil, errors.New("the request names no service")
	}
	if w.before != nil {
		if resp, err := w.before(req); resp != nil || err != nil {
			return resp, err
		}
	}
	onward := req.Clone()
	onward.Remove(coap.OptionURIHost)
	onward.Remove(coap.OptionTrace)
	w.id++
	raw, err := (&coap.Datagram{ID: w.id, Message: *onward}).Append(nil)
	if err != nil {
		return nil, err
	}
	answer := w.device.Handle(raw)
	if answer == nil {
		return nil, coap.ErrTimeout
	}
	d, err := coap.DecodeDatagram(answer)
	if err != nil {
		return nil, err
	}
	if w.after != nil {
		return w.after(&d.Message)
	}
	return &d.Message, nil
}

func greenhouse() (*way, *capability.Capability) {
	return &way{device: linktest.Claimed(service.Hint(), epochKey)}, capability.Owner(service, epochKey, 1)
}

func call(t *testing.T, percent byte) client.Request {
	t.Helper()
	m, err := coap.NewRequest(coap.CodePOST, "/f/valve", nil, []byte{percent})
	if err != nil {
		t.Fatal(err)
	}
	return client.Request{Message: m, Hold: 500 * time.Millisecond}
}

func read(t *testing.T) client.Request {
	t.Helper()
	m, err := coap.NewRequest(coap.CodeGET, "/l/temperature", []string{"s=1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return client.Request{Message: m}
}

func TestCallOpensOnce(t *testing.T) {
	w, owner := greenhouse()
	c := client.New(client.Config{})
	for i := range byte(3) {
		result, err := c.Call(bounded(t), w, owner, call(t, i))
		if err != nil {
			t.Fatal(err)
		}
		if result.Opened != (i == 0) || !result.Verdict.Tagged || string(result.Response.Payload) != string([]byte{i}) {
			t.Errorf("call %d: %+v", i, result)
		}
	}
	if moves, valve := w.device.Moves(); moves != 3 || valve != 2 {
		t.Errorf("valve moved %d times to %d, want 3 to 2", moves, valve)
	}
	if w.hellos != 1 || w.asked != 5 { // a hello, a question that opens, three calls
		t.Errorf("%d hellos in %d requests, want 1 in 5", w.hellos, w.asked)
	}
	if r, err := c.Call(bounded(t), w, owner, read(t)); err != nil {
		t.Error(err)
	} else if entries, err := coap.DecodeRange(r.Response.Payload); err != nil || len(entries.Entries) != 3 {
		t.Errorf("range = %+v, %v", entries, err)
	}
}

// TestCallManyAtOnce: whoever comes first opens, the others wait for that one.
func TestCallManyAtOnce(t *testing.T) {
	w, owner := greenhouse()
	c := client.New(client.Config{})
	ctx := bounded(t)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := c.Call(ctx, w, owner, call(t, 5)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if moves, _ := w.device.Moves(); moves != 20 || w.hellos != 1 {
		t.Errorf("%d moves after %d hellos, want 20 after 1", moves, w.hellos)
	}
}

func TestCallOpensAgain(t *testing.T) {
	w, owner := greenhouse()
	var later time.Duration
	c := client.New(client.Config{Now: func() time.Time { return time.Now().Add(later) }})
	if _, err := c.Call(bounded(t), w, owner, call(t, 1)); err != nil {
		t.Fatal(err)
	}
	w.device.Reboot()
	later += 5 * time.Second // so the session is asked whether it is alive before the valve is turned
	result, err := c.Call(bounded(t), w, owner, call(t, 2))
	if err != nil || !result.Opened || w.hellos != 2 {
		t.Errorf("after a reboot: %+v, %v, %d hellos", result, err, w.hellos)
	}
	// After another reboot somebody else has the slot: the tag does not verify (reason 6).
	w.device.Reboot()
	other, err := owner.Attenuate(rand.Reader, capability.FrameSpec{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.New(client.Config{}).Call(bounded(t), w, other, call(t, 3)); err != nil {
		t.Fatal(err)
	}
	later += 5 * time.Second
	if result, err = c.Call(bounded(t), w, owner, call(t, 4)); err != nil || !result.Opened {
		t.Errorf("with another in the slot: %+v, %v", result, err)
	}
	if moves, valve := w.device.Moves(); moves != 4 || valve != 4 {
		t.Errorf("valve moved %d times to %d, want 4 to 4", moves, valve)
	}
}

// TestCallRefusedByLiar: somebody on the way lets the device act and throws the answer away, or keeps the request to deliver it later, and says
// each reason for which a question is asked anew. The caller does not ask anew, so the valve moves at most once; and the session lives on.
func TestCallRefusedByLiar(t *testing.T) {
	for _, reason := range []capability.Reason{
		capability.ReasonCookie, capability.ReasonCookieUsed, capability.ReasonNoRoom, capability.ReasonTag, capability.ReasonNoSession,
		capability.ReasonSequence, capability.ReasonNeedFrames,
	} {
		w, owner := greenhouse()
		c := client.New(client.Config{})
		if _, err := c.Call(bounded(t), w, owner, call(t, 1)); err != nil {
			t.Fatal(err)
		}
		var kept *coap.Message
		w.before = func(req *coap.Message) (*coap.Message, error) {
			if req.Code == coap.CodePOST {
				kept = req.Clone()
				return capability.Refusal(reason), nil
			}
			return nil, nil
		}
		var denied *client.Denied
		if _, err := c.Call(bounded(t), w, owner, call(t, 2)); !errors.As(err, &denied) || denied.ByDevice || !denied.Unknown {
			t.Errorf("%v: Call = %v, want an unverified refusal with an unknown outcome", reason, err)
		}
		w.before = nil
		if _, err := w.Do(bounded(t), kept); err != nil {
			t.Fatal(err)
		}
		if moves, _ := w.device.Moves(); moves != 2 {
			t.Errorf("%v: the valve moved %d times, want 2: before the lie, and by the request that was kept", reason, moves)
		}
		if result, err := c.Call(bounded(t), w, owner, call(t, 3)); err != nil || result.Opened {
			t.Errorf("%v: a lie ended the session: %+v, %v", reason, result, err)
		}
	}
}

// TestCallOpensAgainOnce: who answers "no such session" for ever gets two tries.
func TestCallOpensAgainOnce(t *testing.T) {
	w, owner := greenhouse()
	w.before = func(req *coap.Message) (*coap.Message, error) {
		if capability.IsHello(req) {
			return nil, nil
		}
		return capability.Refusal(capability.ReasonNoSession), nil
	}
	_, err := client.New(client.Config{}).Call(bounded(t), w, owner, call(t, 1))
	var denied *client.Denied
	if !errors.As(err, &denied) || denied.ByDevice || denied.Reason != capability.ReasonNoSession || w.asked != 4 {
		t.Errorf("Call = %v after %d requests, want an unverified reason 7 after 4", err, w.asked)
	}
	if moves, _ := w.device.Moves(); moves != 0 {
		t.Errorf("%d moves", moves)
	}
}

func TestCallDenied(t *testing.T) {
	w, owner := greenhouse()
	narrow, err := owner.Attenuate(rand.Reader, capability.FrameSpec{Grants: []capability.Grant{{Operations: capability.Read, Name: "temperature"}}})
	if err != nil {
		t.Fatal(err)
	}
	c := client.New(client.Config{})
	result, err := c.Call(bounded(t), w, narrow, call(t, 1))
	var denied *client.Denied
	if !errors.As(err, &denied) || !denied.ByDevice || denied.Reason != capability.ReasonDenied || denied.Frame != 2 || denied.Constraint != capability.TypeGrant {
		t.Fatalf("Call = %+v, want denied by the device, frame 2, grant", err)
	}
	if result == nil || !result.Verdict.Tagged || !strings.HasPrefix(err.Error(), "denied by the device") {
		t.Errorf("result %+v, error %q", result, err)
	}
	if _, err := c.Call(bounded(t), w, narrow, read(t)); err != nil || w.hellos != 1 {
		t.Errorf("the session of a denied request: %v, %d hellos", err, w.hellos)
	}
	if moves, _ := w.device.Moves(); moves != 0 {
		t.Errorf("%d moves", moves)
	}
}

// TestCallUnverified: what somebody on the way makes up is never taken for the device's word.
func TestCallUnverified(t *testing.T) {
	w, owner := greenhouse()
	c := client.New(client.Config{})
	if _, err := c.Call(bounded(t), w, owner, call(t, 1)); err != nil {
		t.Fatal(err)
	}
	w.before = func(*coap.Message) (*coap.Message, error) {
		return &coap.Message{Code: coap.CodeForbidden, Payload: []byte{11, 1, 1}}, nil
	}
	var denied *client.Denied
	if _, err := c.Call(bounded(t), w, owner, call(t, 1)); !errors.As(err, &denied) || denied.ByDevice {
		t.Errorf("a made-up refusal: %v", err)
	}
	w.before = func(*coap.Message) (*coap.Message, error) {
		return &coap.Message{Code: coap.CodeChanged, Payload: []byte{1}}, nil
	}
	if _, err := c.Call(bounded(t), w, owner, call(t, 1)); !errors.Is(err, client.ErrUnproven) {
		t.Errorf("a made-up success: %v, want ErrUnproven", err)
	}
	w.before = nil
	w.after = func(resp *coap.Message) (*coap.Message, error) {
		if resp.Success() {
			resp.Payload[0] ^= 1
		}
		return resp, nil
	}
	if _, err := c.Call(bounded(t), w, owner, call(t, 1)); !errors.Is(err, client.ErrUnproven) {
		t.Errorf("an altered success: %v, want ErrUnproven", err)
	}
	w.after = func(resp *coap.Message) (*coap.Message, error) {
		resp.Code, resp.Payload = coap.CodeForbidden, []byte("nope \x1b[2J")
		return resp, nil
	}
	if _, err := c.Call(bounded(t), w, owner, call(t, 1)); !errors.As(err, &denied) || denied.ByDevice || !strings.HasPrefix(denied.Message, "4.03 nope ?[2J") {
		t.Errorf("an altered refusal: %v", err)
	}
	w.after = nil
	if result, err := c.Call(bounded(t), w, owner, call(t, 7)); err != nil || result.Opened {
		t.Errorf("the session did not survive lies on the way: %+v, %v", result, err)
	}
}

// TestCallLostAnswer: the way fails after the device has acted. The same bytes go again, and nothing runs twice.
func TestCallLostAnswer(t *testing.T) {
	for _, open := range []bool{true, false} {
		w, owner := greenhouse()
		c := client.New(client.Config{})
		if !open {
			if _, err := c.Call(bounded(t), w, owner, read(t)); err != nil {
				t.Fatal(err)
			}
		}
		lost := 0
		w.after = func(resp *coap.Message) (*coap.Message, error) {
			if _, tagged := resp.Get(coap.OptionResponse); tagged && lost == 0 {
				lost++
				return nil, errors.New("stream reset")
			}
			return resp, nil
		}
		result, err := c.Call(bounded(t), w, owner, call(t, 9))
		if err != nil || lost != 1 || string(result.Response.Payload) != "\x09" {
			t.Errorf("open %v: Call = %+v, %v after %d losses", open, result, err, lost)
		}
		if moves, _ := w.device.Moves(); moves != 1 {
			t.Errorf("open %v: valve moved %d times, want once", open, moves)
		}
		lost = 0
		if _, err := c.Call(bounded(t), w, owner, read(t)); err != nil || lost != 1 {
			t.Errorf("open %v: a read whose answer was lost: %v", open, err)
		}
	}
}

// TestCallStale: the caller's idea of the tick is too old; it learns the right one from the refusal.
func TestCallStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, owner := greenhouse()
		now := time.Now()
		c := client.New(client.Config{Now: func() time.Time { return now }})
		req := call(t, 1)
		req.Hold = 100 * time.Millisecond
		if _, err := c.Call(t.Context(), w, owner, req); err != nil {
			t.Fatal(err)
		}
		time.Sleep(400 * time.Millisecond) // the device's clock goes on, the caller's stands
		result, err := c.Call(t.Context(), w, owner, req)
		if err != nil || result.Opened || w.asked != 5 { // a hello, a question that opens, a call; a stale call and one more
			t.Errorf("Call = %+v, %v after %d requests, want 5", result, err, w.asked)
		}
		if moves, _ := w.device.Moves(); moves != 2 {
			t.Errorf("%d moves, want 2", moves)
		}
	})
}

func TestCallerIsBounded(t *testing.T) {
	w, owner := greenhouse()
	c := client.New(client.Config{MaxSessions: 2})
	for range 5 {
		other, err := owner.Attenuate(rand.Reader, capability.FrameSpec{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Call(bounded(t), w, other, read(t))
		var denied *client.Denied
		if err != nil && (!errors.As(err, &denied) || denied.Reason != capability.ReasonNoRoom) {
			t.Fatal(err)
		}
	}
	if n := c.Sessions(); n != 2 {
		t.Errorf("%d sessions kept, want 2", n)
	}
}

func TestCallErrorsOnTheWay(t *testing.T) {
	w, owner := greenhouse()
	c := client.New(client.Config{})
	w.before = func(*coap.Message) (*coap.Message, error) { return coap.Unavailable(7), nil }
	var denied *client.Denied
	if _, err := c.Call(bounded(t), w, owner, call(t, 1)); !errors.As(err, &denied) || denied.RetryAfter != 7*time.Second {
		t.Errorf("5.03: %v", err)
	}
	w.before = func(*coap.Message) (*coap.Message, error) {
		return &coap.Message{Code: coap.CodeGatewayTimeout}, nil
	}
	if _, err := c.Call(bounded(t), w, owner, call(t, 1)); !errors.As(err, &denied) || denied.Code != coap.CodeGatewayTimeout {
		t.Errorf("5.04: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w.before = func(*coap.Message) (*coap.Message, error) { return nil, ctx.Err() }
	if _, err := c.Call(ctx, w, owner, call(t, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}
