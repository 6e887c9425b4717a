package proxy_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/proxy"
)

// TestFloodOfStrangers lets 40 identities ask a device for junk without a pause, one request at a time each. A request takes the
// device 30 ms. Meanwhile an honest peer, the owner at its own home, and honest peers that nobody knows make calls.
func TestFloodOfStrangers(t *testing.T) {
	junk := map[string]func() *coap.Message{
		"hellos": func() *coap.Message { return request(t, coap.CodePOST, "/h", make([]byte, 20)) },
		"opens": func() *coap.Message {
			m := request(t, coap.CodePOST, "/f/valve", []byte{20})
			value := make([]byte, 80)
			_, _ = rand.Read(value)
			value[0], value[1] = 0x1F, 0xFF
			m.Add(coap.OptionRequest, value)
			return m
		},
		"sessions": func() *coap.Message {
			m := request(t, coap.CodePOST, "/f/valve", []byte{20})
			value := make([]byte, 17)
			_, _ = rand.Read(value)
			value[0], value[1] = 0x20, value[1]&3
			m.Add(coap.OptionRequest, value)
			return m
		},
	}
	for name, ask := range junk {
		for _, identities := range []int{40} {
			t.Run(fmt.Sprintf("%s of %d", name, identities), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p, l := greenhouse(t, proxy.Config{})
					l.before = func(context.Context, *coap.Message) (*coap.Message, error) {
						time.Sleep(30 * time.Millisecond) // of the bubble's clock
						return nil, nil
					}
					ctx, cancel := context.WithCancel(context.Background())
					var strangers sync.WaitGroup
					for i := range identities {
						from := coap.Source{Peer: fmt.Sprint("stranger ", i)}
						strangers.Go(func() {
							for ctx.Err() == nil {
								p.ServeCoAP(ctx, from, ask())
								time.Sleep(100 * time.Millisecond)
							}
						})
					}
					time.Sleep(time.Second)
					const calls = 100
					owner := capability.Owner(service, epochKey, 1)
					good := make(map[string]int)
					var mu sync.Mutex
					call := func(who string, caller *client.Caller, via coap.Doer) {
						ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
						defer cancel()
						m, err := coap.NewRequest(coap.CodePOST, "/f/valve", nil, []byte{20})
						if err != nil {
							t.Error(err)
							return
						}
						if _, err := caller.Call(ctx, via, owner, client.Request{Message: m}); err != nil {
							t.Logf("%s: %v", who, err)
							return
						}
						mu.Lock()
						good[who]++
						mu.Unlock()
					}
					over := func(from coap.Source) coap.Doer {
						return coap.DoerFunc(func(ctx context.Context, req *coap.Message) (*coap.Message, error) {
							return p.ServeCoAP(ctx, from, req), nil
						})
					}
					var honest sync.WaitGroup
					honest.Go(func() {
						caller := client.New(client.Config{})
						for range calls {
							call("the owner at its home", caller, p.Local())
							time.Sleep(2 * time.Second)
						}
					})
					honest.Go(func() {
						caller := client.New(client.Config{})
						for range calls {
							call("an honest peer", caller, over(coap.Source{Peer: "honest"}))
							time.Sleep(2 * time.Second)
						}
					})
					honest.Go(func() {
						for i := range calls { // sessions of strangers take the device's slots, which stay for 2 s
							call("an unknown peer", client.New(client.Config{}), over(coap.Source{Peer: fmt.Sprint("unknown ", i)}))
							time.Sleep(2 * time.Second)
						}
					})
					honest.Wait()
					cancel()
					strangers.Wait()
					t.Logf("of %d calls each succeed: %v", calls, good)
					for _, who := range []string{"the owner at its home", "an honest peer", "an unknown peer"} {
						if good[who] < calls {
							t.Errorf("%s: %d of %d calls succeed", who, good[who], calls)
						}
					}
				})
			})
		}
	}
}
