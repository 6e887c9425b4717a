package capability_test

import (
	"bytes"
	"fmt"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/phrase"
	"github.com/edgeistry/edgeistry/coap"
)

// The owner of a service narrows the first capability, offline.
func Example_attenuate() {
	var key capability.EpochKey // from the claim
	owner := capability.Owner(edgeistry.ServiceID{1}, key, 1)

	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	until, err := phrase.ParseUntil("friday", now)
	if err != nil {
		fmt.Println(err)
		return
	}
	spec, err := phrase.Wish{
		Read: []string{"temperature"}, Call: []string{"valve"}, Arg: "0..30", Until: until,
	}.Spec()
	if err != nil {
		fmt.Println(err)
		return
	}
	salt := bytes.NewReader([]byte{1, 2, 3, 4}) // crypto/rand.Reader but for examples
	anna, err := owner.Attenuate(salt, spec)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, line := range anna.Describe() {
		fmt.Printf("frame %d  %s\n", i+1, line)
	}
	// Output:
	// frame 1  everything
	// frame 2  until Fri 2026-11-27 23:59 UTC: read temperature; call valve with argument 0..30
}

// A caller and a verifier, with the wire between them left out.
func Example_session() {
	key := capability.EpochKey{1}
	service := edgeistry.ServiceID{2}
	guard, err := capability.NewGuard(capability.GuardConfig{
		Hint: service.Hint(), Epoch: 1, Boot: 1, CookieKey: key.CookieKey(1), BranchKey: key.BranchKeys(1),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	at, tick := time.Unix(1_800_000_000, 0), capability.Now{Tick: 100}
	device := func(req *coap.Message) *coap.Message {
		if capability.IsHello(req) {
			return guard.AnswerHello(req, tick)
		}
		admission, refusal := guard.Check(req, tick)
		if admission == nil {
			return refusal
		}
		fmt.Println("the device runs:", admission.Operation, admission.Name, req.Payload)
		return admission.Answer(&coap.Message{Code: coap.CodeChanged}, tick)
	}

	hello, err := capability.Owner(service, key, 1).NewHello(bytes.NewReader(make([]byte, 8)))
	if err != nil {
		fmt.Println(err)
		return
	}
	session, err := hello.Open(device(hello.Message()).Payload, at)
	if err != nil {
		fmt.Println(err)
		return
	}
	req := &coap.Message{Code: coap.CodePOST, Payload: []byte{20}}
	if err := req.SetPath("/f/valve"); err != nil {
		fmt.Println(err)
		return
	}
	pending, err := session.Protect(req, capability.DefaultHold, at)
	if err != nil {
		fmt.Println(err)
		return
	}
	answer := device(req)
	device(req) // again: the device does not run it twice
	verdict, err := session.Verify(pending, answer, at)
	fmt.Println(verdict.Tagged, verdict.Reason, err)
	// Output:
	// the device runs: call valve [20]
	// true done <nil>
}
