package main

import (
	"bytes"
	"fmt"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
)

// addBytes adds what a capability and a request in a session take on the wire.
func (c counted) addBytes() error {
	carried, err := threeFrames()
	if err != nil {
		return err
	}
	overhead, err := sessionOverhead()
	if err != nil {
		return err
	}
	c["capability.3frames.bytes"] = uint64(len(carried))
	c["request.session.overhead.bytes"] = uint64(overhead)
	return nil
}

var (
	service = edgeistry.ServiceID{1}
	epoch   = capability.EpochKey{2}
)

// threeFrames is the owner's capability, narrowed to calling the valve, and by its next holder to arguments of 0..30.
func threeFrames() ([]byte, error) {
	random := bytes.NewReader(make([]byte, 8))
	c := capability.Owner(service, epoch, 1)
	for _, spec := range []capability.FrameSpec{
		{Grants: []capability.Grant{{Operations: capability.Call, Name: "valve"}}},
		{Limits: []capability.Limit{{Type: capability.TypeBound, Bound: capability.Bound{Width: 1, Max: 30}}}},
	} {
		var err error
		if c, err = c.Attenuate(random, spec); err != nil {
			return nil, err
		}
	}
	if len(c.Frames) != 3 {
		return nil, fmt.Errorf("%d frames, want 3", len(c.Frames))
	}
	return c.Carried(), nil
}

// sessionOverhead is what protection adds to a call: the bytes of the datagram with a token of two less those of the bare call without.
func sessionOverhead() (int, error) {
	now, tick := time.Unix(1_800_000_000, 0), capability.Now{Tick: 1}
	guard, err := capability.NewGuard(capability.GuardConfig{
		Hint: service.Hint(), Epoch: 1, Boot: 1, CookieKey: epoch.CookieKey(1), BranchKey: epoch.BranchKeys(1),
	})
	if err != nil {
		return 0, err
	}
	hello, err := capability.Owner(service, epoch, 1).NewHello(bytes.NewReader(make([]byte, 8)))
	if err != nil {
		return 0, err
	}
	session, err := hello.Open(guard.AnswerHello(hello.Message(), tick).Payload, now)
	if err != nil {
		return 0, err
	}
	var last *coap.Message
	for range 2 { // the first one opens
		last = call()
		pending, err := session.Protect(last, capability.DefaultHold, now)
		if err != nil {
			return 0, err
		}
		admission, refusal := guard.Check(last, tick)
		if admission == nil {
			return 0, fmt.Errorf("refused: %x", refusal.Payload)
		}
		if _, err := session.Verify(pending, admission.Answer(&coap.Message{Code: coap.CodeChanged}, tick), now); err != nil {
			return 0, err
		}
	}
	protected, err := (&coap.Datagram{Token: []byte{1, 2}, Message: *last}).Append(nil)
	if err != nil {
		return 0, err
	}
	bare, err := (&coap.Datagram{Message: *call()}).Append(nil)
	return len(protected) - len(bare), err
}

func call() *coap.Message {
	m := &coap.Message{Code: coap.CodePOST, Payload: []byte{20}}
	m.Add(coap.OptionURIPath, []byte("f"))
	m.Add(coap.OptionURIPath, []byte("valve"))
	return m
}
