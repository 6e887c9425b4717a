package node

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/denylist"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/proxy"
)

// ask reads the node's own log in sessions of a caller's, and says why not.
func ask(ctx context.Context, t *testing.T, via coap.Doer, caller *client.Caller, with *capability.Capability, req client.Request) capability.Reason {
	t.Helper()
	m, err := coap.NewRequest(coap.CodeGET, "/l/events", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Message = m
	_, err = caller.Call(ctx, via, with, req)
	var denied *client.Denied
	switch {
	case errors.As(err, &denied) && denied.Reason == capability.ReasonDenyListed && denied.ByDevice:
		t.Error("reason 28 has a tag")
		return denied.Reason
	case errors.As(err, &denied):
		return denied.Reason
	case err != nil:
		t.Fatal(err)
	}
	return capability.ReasonNone
}

// TestDenyHosted denies a capability of the node's own service, at the service and at its mirror: however it is shown, it opens nothing, and
// what it had opened ends. Others go on. Each way has a node of its own: after a denial every session is opened anew, and a verifier opens 16 in 10 s.
func TestDenyHosted(t *testing.T) {
	type shown struct {
		name         string
		denied, with *capability.Capability
		req          client.Request
	}
	ways := func(anna, narrow, bob, reader *capability.Capability) []shown {
		return []shown{
			{"shown", anna, anna, client.Request{}},
			{"private", anna, anna, client.Request{Private: true}},
			{"narrowed from it", anna, narrow, client.Request{}},
			{"the second part", anna, bob, client.Request{Also: []*capability.Capability{anna}}},
			{"the second part, narrowed and private", anna, bob, client.Request{Also: []*capability.Capability{narrow}, Private: true}},
			{"at the mirror", reader, reader, client.Request{Mirror: true}},
			{"at the mirror, private", reader, reader, client.Request{Mirror: true, Private: true}},
		}
	}
	for i, way := range ways(nil, nil, nil, nil) {
		t.Run(way.name, func(t *testing.T) {
			h := testHome(t, nil)
			n, c := startNode(t, h)
			if _, err := c.Append(t.Context(), api.AppendRequest{Log: "events", Payload: []byte("x")}); err != nil {
				t.Fatal(err)
			}
			id := h.Keys.Own().ID
			parse := func(branch uint8) *capability.Capability {
				k, err := capability.Parse(minted(t, h.Keys.Own(), branch, capability.Read))
				if err != nil {
					t.Fatal(err)
				}
				return k
			}
			anna, bob, reader := parse(3), parse(4), parse(capability.BranchMirror)
			narrow, err := anna.Attenuate(rand.Reader, capability.FrameSpec{})
			if err != nil {
				t.Fatal(err)
			}
			tt := ways(anna, narrow, bob, reader)[i]
			before, after, other := client.New(client.Config{}), client.New(client.Config{}), client.New(client.Config{})
			for _, caller := range []*client.Caller{before, other} {
				with, req := tt.with, tt.req
				if caller == other {
					with, req = bob, client.Request{}
				}
				if r := ask(t.Context(), t, n.via(), caller, with, req); r != capability.ReasonNone {
					t.Fatalf("before it is denied: reason %d", r)
				}
			}
			n.proxy.Deny(id, []denylist.Fingerprint{denylist.Of(tt.denied)})
			if r := ask(t.Context(), t, n.via(), before, tt.with, tt.req); r != capability.ReasonDenyListed {
				t.Errorf("in its session: reason %d, want 28", r)
			}
			if r := ask(t.Context(), t, n.via(), after, tt.with, tt.req); r != capability.ReasonDenyListed {
				t.Errorf("opening: reason %d, want 28", r)
			}
			if r := ask(t.Context(), t, n.via(), other, bob, client.Request{}); r != capability.ReasonNone {
				t.Errorf("another one's session: reason %d", r)
			}
		})
	}
}

// TestDenyPastProxy asks the service itself, without the proxy. A session is open before its first request is answered, and that answer may wait for
// news: until then the proxy takes the session's slot for that of an earlier one, and only the service knows whose it is.
func TestDenyPastProxy(t *testing.T) {
	h := testHome(t, nil)
	n, c := startNode(t, h)
	if _, err := c.Append(t.Context(), api.AppendRequest{Log: "events", Payload: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	id := h.Keys.Own().ID
	defer n.proxy.Deny(id, nil)
	past := coap.DoerFunc(func(ctx context.Context, req *coap.Message) (*coap.Message, error) {
		req = req.Clone()
		req.Remove(coap.OptionURIHost)
		return n.own.ServeCoAP(ctx, coap.Source{Local: true}, req), nil
	})
	for _, branch := range []uint8{3, capability.BranchMirror} {
		anna, err := capability.Parse(minted(t, h.Keys.Own(), branch, capability.Read))
		if err != nil {
			t.Fatal(err)
		}
		req := client.Request{Mirror: branch == capability.BranchMirror}
		before := client.New(client.Config{})
		if r := ask(t.Context(), t, past, before, anna, req); r != capability.ReasonNone {
			t.Fatalf("branch %d, before it is denied: reason %d", branch, r)
		}
		n.proxy.Deny(id, []denylist.Fingerprint{denylist.Of(anna)})
		if r := ask(t.Context(), t, past, before, anna, req); r != capability.ReasonDenyListed {
			t.Errorf("branch %d, in its session: reason %d, want 28", branch, r)
		}
		if r := ask(t.Context(), t, past, client.New(client.Config{}), anna, req); r != capability.ReasonDenyListed {
			t.Errorf("branch %d, opening: reason %d, want 28", branch, r)
		}
		own := client.New(client.Config{})
		for range 2 { // opening, and in the session
			if r := ask(proxy.Foremost(t.Context()), t, past, own, anna, req); r != capability.ReasonNone {
				t.Errorf("branch %d, what goes before everything: reason %d", branch, r)
			}
		}
	}
}

// TestDeniedHereDidNotRun calls a function with a capability that this node's own deny list names, in a session that was
// open before: nothing was sent, so nobody is told that it may have run.
func TestDeniedHereDidNotRun(t *testing.T) {
	h := testHome(t, nil)
	n, c := startNode(t, h)
	_, setup, link := greenhouse(t, nil)
	if _, err := c.Claim(t.Context(), api.ClaimRequest{SetupCode: setup, Link: link, Name: "greenhouse"}, nil); err != nil {
		t.Fatal(err)
	}
	anna := narrow(t, h, "greenhouse/owner", capability.FrameSpec{})
	call := api.CallRequest{Service: "greenhouse", Method: "POST", Path: "/f/valve", Payload: []byte{5}, Capability: anna}
	if r, err := c.Call(t.Context(), call); err != nil || !r.OK() {
		t.Fatalf("call before the denial: %+v, %v", r, err)
	}
	k, err := capability.Parse(anna)
	if err != nil {
		t.Fatal(err)
	}
	n.proxy.Deny(n.deviceList()[0].Service, []denylist.Fingerprint{denylist.Of(k)})
	r, err := c.Call(t.Context(), call)
	if err != nil || r.OK() || r.Reason != uint8(capability.ReasonDenyListed) {
		t.Fatalf("call after the denial: %+v, %v", r, err)
	}
	if strings.Contains(r.Message, "may have run") {
		t.Errorf("call after the denial: %q, though nothing was sent", r.Message)
	}
}
