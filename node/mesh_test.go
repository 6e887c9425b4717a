package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/phrase"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/coap/link/linktest"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/config"
	"github.com/edgeistry/edgeistry/node/state"
)

// narrow returns a capability of the keychain with one more frame.
func narrow(t *testing.T, h *state.State, name string, spec capability.FrameSpec) string {
	t.Helper()
	c, err := h.Keychain.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = c.Attenuate(rand.Reader, spec); err != nil {
		t.Fatal(err)
	}
	return c.Text()
}

// upTo bounds the first byte of a payload.
func upTo(n int64) []capability.Limit {
	return []capability.Limit{{Type: capability.TypeBound, Bound: capability.Bound{Width: 1, Max: n}}}
}

// mirrorOf mints a capability of the mirror branch that reads everything.
func mirrorOf(t *testing.T, k *state.ServiceKey) string {
	t.Helper()
	spec, err := phrase.Wish{Read: []string{"*"}}.Spec()
	if err != nil {
		t.Fatal(err)
	}
	frame, err := spec.Encode()
	if err != nil {
		t.Fatal(err)
	}
	h := capability.Header{Branch: capability.BranchMirror, Hint: k.ID.Hint(), Epoch: k.Epoch, Nonce: [4]byte{1, 2, 3, 4}}
	c, err := capability.Mint(k.ID, k.EpochKey.Branch(k.Epoch, capability.BranchMirror, 0), h, frame)
	if err != nil {
		t.Fatal(err)
	}
	return c.Text()
}

// TestNodeService calls the service of one node from another with a narrowed capability: what it admits works, what it does not
// is refused with proof, and nothing of it needs more than the text of the capability.
func TestNodeService(t *testing.T) {
	ha := testHome(t, nil)
	a, ca := startNode(t, ha)
	_, cb := startNode(t, testHome(t, func(c *config.Config) { c.Seeds = []string{seedOf(a)} }))
	ctx := t.Context()
	id := ha.Keys.Own().ID.String()
	anna := narrow(t, ha, state.OwnCapability, capability.FrameSpec{Grants: []capability.Grant{
		{Operations: capability.Read, Name: "events"}, {Operations: capability.Append, Name: "events", Parts: upTo(9)},
	}})

	var receipt *api.Receipt
	eventually(t, "append over the mesh", func() error {
		var err error
		receipt, err = cb.Append(ctx, api.AppendRequest{Service: id, Log: "events", Payload: []byte{7}, Capability: anna})
		return err
	})
	if receipt.Sequence != 1 {
		t.Errorf("receipt %+v, want sequence 1", receipt)
	}
	for _, tt := range []struct {
		name string
		req  api.AppendRequest
	}{
		{"argument out of bounds", api.AppendRequest{Log: "events", Payload: []byte{10}}},
		{"another log", api.AppendRequest{Log: "secrets", Payload: []byte{7}}},
	} {
		tt.req.Service, tt.req.Capability = id, anna
		_, err := cb.Append(ctx, tt.req)
		var e *api.Error
		if !errors.As(err, &e) || e.Kind != api.Denied || e.Denial == nil || !e.Denial.Verified || e.Denial.Frame != 2 || e.Denial.By != "node" {
			t.Errorf("%s: %v (%+v), want a proven denial by frame 2", tt.name, err, e)
		}
	}
	r, err := cb.Read(ctx, api.ReadRequest{Service: id, Log: "events", Capability: anna})
	if err != nil || len(r.Entries) != 1 || r.Entries[0].Payload[0] != 7 || r.By != "node" {
		t.Fatalf("Read over the mesh = %+v, %v", r, err)
	}
	if own, err := ca.Read(ctx, api.ReadRequest{Log: "events"}); err != nil || own.Entries[0].Hash != r.Entries[0].Hash {
		t.Errorf("the reader computed the hash %s, the node has %+v, %v", r.Entries[0].Hash, own, err)
	}
	if _, err := cb.Read(ctx, api.ReadRequest{Service: id, Log: "events"}); api.KindOf(err) != api.Denied {
		t.Errorf("reading without a capability: %v, want denied", err)
	}
	testTail(t, cb, ca, api.ReadRequest{Service: id, Log: "events", Capability: anna, Last: 1})

	show, err := cb.Show(ctx, id)
	if err != nil || !show.Reachable || show.From != "dht" && show.From != "cache" || len(show.Homes) != 1 || show.Homes[0].Conn != "direct" {
		t.Errorf("Show = %+v, %v", show, err)
	}
	res, err := cb.Call(ctx, api.CallRequest{Service: id, Method: "POST", Path: "/f/valve", Capability: anna})
	if err != nil || res.Code != "4.03" || !res.Tagged || res.OK() {
		t.Errorf("a function that is not granted: %+v, %v", res, err)
	}
}

// testTail follows a log from another node: the newest entry first, then what is appended meanwhile.
func testTail(t *testing.T, reader, writer *api.Client, r api.ReadRequest) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var got []byte
	err := reader.Tail(ctx, r, nil, func(e api.Entry) error {
		got = append(got, e.Payload...)
		if len(got) == 3 {
			cancel()
			return nil
		}
		_, err := writer.Append(ctx, api.AppendRequest{Log: r.Log, Payload: []byte{byte(len(got))}})
		return err
	})
	if err != nil || string(got) != string([]byte{7, 1, 2}) {
		t.Errorf("Tail gave %v, %v, want [7 1 2]", got, err)
	}
}

// greenhouse runs a device on UDP until the test ends; before, if not nil, sees its requests and says whether the answer is lost.
func greenhouse(t *testing.T, before func(*coap.Message) bool) (*linktest.Device, string, string) {
	t.Helper()
	setup, err := capability.NewSetupCode(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d := linktest.New(setup)
	d.Before = before
	return d, setup.Text(), serveDevice(t, d)
}

// serveDevice lets a device answer on UDP until the test ends, and gives its link.
func serveDevice(t *testing.T, d *linktest.Device) string {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); d.ServeUDP(socket) }()
	t.Cleanup(func() { _ = socket.Close(); <-done })
	return "udp:" + socket.LocalAddr().String()
}

// TestThreeNodes is the main job in one process: a device behind an edge node that only a relay leads to, a caller elsewhere, and a
// cloud where its log arrives and a function runs on each entry; the edge goes away and comes back.
func TestThreeNodes(t *testing.T) {
	ctx := t.Context()
	cloud, cc := startNode(t, testHome(t, nil))
	relayed := func(c *config.Config) { c.Listen, c.Seeds = nil, []string{seedOf(cloud)} }
	he := testHome(t, relayed)
	edge, ce := startNode(t, he)
	_, caller := startNode(t, testHome(t, relayed))

	_, setup, link := greenhouse(t, nil)
	var steps []string
	claimed, err := ce.Claim(ctx, api.ClaimRequest{SetupCode: setup, Link: link, Name: "greenhouse"}, func(s api.ClaimStep) {
		steps = append(steps, fmt.Sprintf("%d/%d %s", s.Step, s.Of, s.Text))
	})
	if err != nil || len(steps) != 5 || claimed.Capability != "greenhouse/owner" {
		t.Fatalf("claim = %+v, %v, after %q", claimed, err, steps)
	}
	id := claimed.Service
	anna := narrow(t, he, "greenhouse/owner", capability.FrameSpec{Grants: []capability.Grant{
		{Operations: capability.Read, Name: "temperature"}, {Operations: capability.Call, Name: "valve", Parts: upTo(30)},
	}})

	eventually(t, "resolve from the caller", func() error {
		r, err := caller.Resolve(ctx, id)
		if err == nil && !strings.Contains(r.Homes[0].Conn, "relayed through "+cloud.host.ID().String()) {
			err = fmt.Errorf("home is reached %q, want relayed through the cloud", r.Homes[0].Conn)
		}
		return err
	})
	res, err := caller.Call(ctx, api.CallRequest{Service: id, Method: "POST", Path: "/f/valve", Payload: []byte{20}, Capability: anna, Trace: true})
	if err != nil || !res.OK() || !res.Tagged || res.By != "device" || len(res.Legs) < 5 {
		t.Fatalf("call = %+v, %v", res, err)
	}
	res, err = caller.Call(ctx, api.CallRequest{Service: id, Method: "POST", Path: "/f/valve", Payload: []byte{90}, Capability: anna})
	if want := "denied by the device: frame 2 allows argument 0..30, not 90"; err != nil || res.Message != want || res.Kind() != api.Denied {
		t.Errorf("call beyond the bound = %+v, %v, want %q", res, err, want)
	}
	if p, err := caller.Ping(ctx, api.PingRequest{Target: id}); err != nil || p.Via != cloud.host.ID().String() || p.RTTMS <= 0 {
		t.Errorf("Ping = %+v, %v, want relayed through the cloud", p, err)
	}

	key, err := he.Keys.Get(edge.deviceList()[0].Service)
	if err != nil {
		t.Fatal(err)
	}
	checkPull(t, cc, id, mirrorOf(t, key), 3)

	if err := edge.Close(); err != nil {
		t.Fatal(err)
	}
	if he, err = state.Open(he.Dir()); err != nil {
		t.Fatal(err)
	}
	_, ce = startNode(t, he)
	eventually(t, "the device is reachable through the restarted edge", func() error {
		res, err := caller.Call(ctx, api.CallRequest{Service: id, Method: "POST", Path: "/f/valve", Payload: []byte{21}, Capability: anna, TimeoutMS: 5000})
		if err != nil {
			return err
		}
		return res.Err()
	})
	r, err := ce.Read(ctx, api.ReadRequest{Service: "greenhouse", Log: "temperature", Mirror: true})
	if err != nil || len(r.Entries) != 3 || r.By != "this node" {
		t.Errorf("mirror after the restart = %+v, %v", r, err)
	}
}

// checkPull deploys a function on a log of another node: the log is copied under the mirror capability, and the function's output
// stands in the node's own log.
func checkPull(t *testing.T, c *api.Client, id, mirror string, entries int) {
	t.Helper()
	module, err := os.ReadFile(filepath.Join("..", "function", "testdata", "echo.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	d := api.DeployRequest{Name: "copy", Module: module, On: id + "/temperature", To: "smoothed", FromStart: true}
	if _, err := c.Deploy(t.Context(), d); api.KindOf(err) != api.Denied {
		t.Errorf("deploying on another node's log without a capability: %v, want denied", err)
	}
	d.Capability = mirror
	if _, err := c.Deploy(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	eventually(t, "entries handled in the cloud", func() error {
		r, err := c.Read(t.Context(), api.ReadRequest{Log: "smoothed"})
		if err == nil && len(r.Entries) != entries {
			err = fmt.Errorf("%d entries, want %d", len(r.Entries), entries)
		}
		return err
	})
	list, err := c.Functions(t.Context())
	if err != nil || len(list) != 1 || list[0].PullState != "following" || list[0].Runs != uint64(entries) {
		t.Errorf("Functions() = %+v, %v", list, err)
	}
}

// TestFunctionOnOwnLog deploys a function on a log of the node itself, also one that has no entry yet.
func TestFunctionOnOwnLog(t *testing.T) {
	h := testHome(t, nil)
	n, c := startNode(t, h)
	module, err := os.ReadFile(filepath.Join("..", "function", "testdata", "echo.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	request := api.DeployRequest{Name: "copy", Module: module, On: "events", To: "copies"}
	if _, err := c.Deploy(t.Context(), request); api.KindOf(err) != api.NotFound || !strings.Contains(err.Error(), `no log "events"`) {
		t.Errorf("deploying on a log that is not there: %v", err)
	}
	request.EvenIfMissing = true
	if _, err := c.Deploy(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	check := func(c *api.Client, want int) {
		eventually(t, "outputs", func() error {
			r, err := c.Read(t.Context(), api.ReadRequest{Log: "copies"})
			if err == nil && len(r.Entries) != want {
				err = fmt.Errorf("%d outputs, want %d", len(r.Entries), want)
			}
			return err
		})
	}
	for i := range 3 {
		if _, err := c.Append(t.Context(), api.AppendRequest{Log: "events", Payload: []byte{byte(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	check(c, 3)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	_, c = startNode(t, h)
	if _, err := c.Append(t.Context(), api.AppendRequest{Log: "events", Payload: []byte{9}}); err != nil {
		t.Fatal(err)
	}
	check(c, 4)
}

// TestClaimRefused: what cannot be claimed is told at once, and why.
func TestClaimRefused(t *testing.T) {
	_, c := startNode(t, testHome(t, nil))
	_, setup, link := greenhouse(t, nil)
	claim := func(link string) *api.Error {
		t.Helper()
		_, err := c.Claim(t.Context(), api.ClaimRequest{SetupCode: setup, Link: link, Name: "greenhouse"}, nil)
		var e *api.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatal(err)
		}
		return e
	}
	if e := claim("serial:/dev/there-is-none"); e == nil || e.Kind != api.NotFound {
		t.Errorf("a serial line that is not there: %v, want not found", e)
	}
	if e := claim(link); e != nil {
		t.Fatal(e)
	}
	if e := claim(link); e == nil || e.Kind != api.Denied || !strings.Contains(e.Message, "yours already, as greenhouse") {
		t.Errorf("claiming twice: %v, want that it is ours already", e)
	}
}

// TestClaimTakesUp loses the device's last answer for good: the device is claimed and its owner does not know. Claiming again
// finishes that claim, also in another process.
func TestClaimTakesUp(t *testing.T) {
	h := testHome(t, nil)
	n, _ := startNode(t, h)
	var losing atomic.Bool
	losing.Store(true)
	var repeats atomic.Int32
	_, setup, link := greenhouse(t, func(req *coap.Message) bool {
		second := req.Path() == "/k" && len(req.Payload) > 0 && req.Payload[0] == 2
		if second {
			repeats.Add(1)
		}
		return second && losing.Load()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer cancel()
	_, err := n.Claim(ctx, api.ClaimRequest{SetupCode: setup, Link: link, Name: "greenhouse"}, nil)
	if err == nil {
		t.Fatal("the claim succeeded without its last answer")
	}
	if api.KindOf(err) != api.Timeout {
		t.Errorf("claim without its last answer = %v, want a timeout that says what to do", err)
	}
	losing.Store(false)
	if repeats.Load() == 0 {
		t.Fatal("the device never saw the second message")
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	_, c := startNode(t, h)
	claimed, err := c.Claim(t.Context(), api.ClaimRequest{SetupCode: setup, Link: link, Name: "greenhouse"}, nil)
	if err != nil {
		t.Fatalf("claiming again: %v", err)
	}
	res, err := c.Call(t.Context(), api.CallRequest{Service: claimed.Service, Method: "POST", Path: "/f/valve", Payload: []byte{5}})
	if err != nil || !res.OK() {
		t.Errorf("call after the claim = %+v, %v", res, err)
	}
	if _, err := c.Claim(t.Context(), api.ClaimRequest{SetupCode: setup, Link: link, Name: "other"}, nil); api.KindOf(err) != api.Denied {
		t.Errorf("claiming a claimed device = %v, want denied", err)
	}
	if res, err := c.Call(t.Context(), api.CallRequest{Service: "greenhouse", Method: "POST", Path: "/f/valve", Payload: []byte{6}}); err != nil || !res.OK() {
		t.Errorf("call after the refused claim = %+v, %v", res, err)
	}
}

// TestClaimAfterReset resets a device whose claim was not finished: claiming again makes everything of it anew.
func TestClaimAfterReset(t *testing.T) {
	h := testHome(t, nil)
	n, c := startNode(t, h)
	_, setup, link := greenhouse(t, func(req *coap.Message) bool { return req.Path() == "/t" })
	ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer cancel()
	if _, err := n.Claim(ctx, api.ClaimRequest{SetupCode: setup, Link: link}, nil); err == nil {
		t.Fatal("the claim succeeded though the device took no time")
	}
	code, err := capability.ParseSetupCode(setup)
	if err != nil {
		t.Fatal(err)
	}
	reset := linktest.New(code)
	reset.Reboot()
	claimed, err := c.Claim(t.Context(), api.ClaimRequest{SetupCode: setup, Link: serveDevice(t, reset)}, nil)
	if err != nil {
		t.Fatalf("claiming the reset device: %v", err)
	}
	id, err := n.service(claimed.Service)
	if err != nil {
		t.Fatal(err)
	}
	key, err := h.Keys.Get(id)
	if err != nil {
		t.Fatal(err)
	}
	if owner, err := h.Keychain.Get(claimed.Capability); err != nil || owner.Text() != key.Owner().Text() {
		t.Errorf("the keychain has another owner capability than the key, %v", err)
	}
	eventually(t, "log copied from the reset device", func() error {
		d, err := c.Devices(t.Context())
		if err == nil && (len(d) != 1 || !d[0].Reachable || d[0].Logs[0].Head.Sequence != 3) {
			err = fmt.Errorf("%+v", d)
		}
		return err
	})
}

// TestDeviceGenerations raises generations of a device's service: its mirror and the node's own reading follow, also after a restart.
func TestDeviceGenerations(t *testing.T) {
	h := testHome(t, nil)
	n, c := startNode(t, h)
	_, setup, link := greenhouse(t, nil)
	claimed, err := c.Claim(t.Context(), api.ClaimRequest{SetupCode: setup, Link: link, Name: "greenhouse"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	id, err := n.service(claimed.Service)
	if err != nil {
		t.Fatal(err)
	}
	key, err := h.Keys.Get(id)
	if err != nil {
		t.Fatal(err)
	}
	mirror := api.CallRequest{Service: "greenhouse", Method: "GET", Path: "/l/temperature", Capability: mirrorOf(t, key), Mirror: true}
	if res, err := c.Call(t.Context(), mirror); err != nil || !res.OK() {
		t.Fatalf("reading the mirror: %+v, %v", res, err)
	}
	for _, g := range [][2]uint8{{capability.BranchMirror, 2}, {capability.BranchMirror, 1}, {readerBranch, 3}} {
		if _, err := n.raised(id, g[0], g[1]); err != nil {
			t.Fatal(err)
		}
	}
	if res, err := c.Call(t.Context(), mirror); err != nil || res.Reason != uint8(capability.ReasonGeneration) {
		t.Errorf("reading the mirror after the revocation: %+v, %v", res, err)
	}
	if key, err = h.Keys.Get(id); err != nil || key.Generations[capability.BranchMirror] != 2 || key.Generations[readerBranch] != 3 {
		t.Errorf("kept generations %v, %v", key.Generations, err)
	}
	kept, err := h.Devices.All()
	if err != nil || len(kept) != 1 || kept[0].Reader.Header.Generation != 3 || n.device(id).reader().Header.Generation != 3 {
		t.Errorf("the node's own capability was not made anew: %+v, %v", kept, err)
	}
}

// TestGenerationElsewhere raises a generation by a call to a service whose key is in the caller's home.
func TestGenerationElsewhere(t *testing.T) {
	ha := testHome(t, nil)
	a, _ := startNode(t, ha)
	hb := testHome(t, func(c *config.Config) { c.Seeds = []string{seedOf(a)} })
	_, cb := startNode(t, hb)
	key := ha.Keys.Own()
	if err := hb.Keys.Save(key); err != nil {
		t.Fatal(err)
	}
	eventually(t, "generation raised over the mesh", func() error {
		res, err := cb.Call(t.Context(), api.CallRequest{
			Service: key.ID.String(), Method: "POST", Path: "/g", Payload: []byte{5, 1}, Capability: key.Owner().Text(),
		})
		if err == nil && !res.OK() {
			err = res.Err()
		}
		return err
	})
	if kept, err := hb.Keys.Get(key.ID); err != nil || kept.Generations[5] != 1 {
		t.Errorf("kept key %v, %v, want generation 1 of branch 5", kept.Generations, err)
	}
}

// TestDeviceWithoutLogs reboots a device that has no logs to read: its home node notices, and tells it the time again.
func TestDeviceWithoutLogs(t *testing.T) {
	_, c := startNode(t, testHome(t, nil))
	setup, err := capability.NewSetupCode(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	device := linktest.New(setup)
	device.Manifest.Logs = nil
	r := api.ClaimRequest{SetupCode: setup.Text(), Link: serveDevice(t, device), Name: "greenhouse"}
	if _, err := c.Claim(t.Context(), r, nil); err != nil {
		t.Fatal(err)
	}
	for boot := uint32(1); boot <= 2; boot++ {
		eventually(t, "start noticed", func() error {
			d, err := c.Devices(t.Context())
			if err == nil && (len(d) != 1 || d[0].Boot != boot || !d[0].Reachable) {
				err = fmt.Errorf("%+v, want boot %d", d, boot)
			}
			return err
		})
		device.Reboot()
	}
}

// TestDeviceClock reboots a device: its home node notices and tells it the time again.
func TestDeviceClock(t *testing.T) {
	_, c := startNode(t, testHome(t, nil))
	var told atomic.Int32
	device, setup, link := greenhouse(t, func(req *coap.Message) bool {
		if req.Path() == "/t" {
			told.Add(1)
		}
		return false
	})
	if _, err := c.Claim(t.Context(), api.ClaimRequest{SetupCode: setup, Link: link, Name: "greenhouse"}, nil); err != nil {
		t.Fatal(err)
	}
	before := told.Load()
	if before == 0 {
		t.Errorf("the claim did not set the clock")
	}
	device.Reboot()
	eventually(t, "clock set after the reboot", func() error {
		d, err := c.Devices(t.Context())
		if err == nil && (told.Load() == before || len(d) != 1 || d[0].Boot < 2 || !d[0].Reachable) {
			err = fmt.Errorf("told %d times before and %d now; %+v", before, told.Load(), d)
		}
		return err
	})
}

// TestHomesTried asks homes of which none is there: the error lists each with its cause.
func TestHomesTried(t *testing.T) {
	n, _ := startNode(t, testHome(t, nil))
	var homes []peer.AddrInfo
	for range 2 {
		other := testHome(t, nil)
		homes = append(homes, peer.AddrInfo{ID: other.PeerID(), Addrs: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/1")}})
	}
	homes = append(homes, peer.AddrInfo{ID: n.host.ID()})
	_, err := n.mesh.Do(t.Context(), homes, &coap.Message{Code: coap.CodeGET})
	if err == nil {
		t.Fatal("homes that are not there answer")
	}
	e := asAPIError(err)
	if e.Kind != api.NotFound || len(e.Tried) != 3 {
		t.Fatalf("error = %v, want all three homes", err)
	}
	for i, h := range homes[:2] {
		if !strings.HasPrefix(e.Tried[i], h.ID.String()+": not reachable: ") || strings.Contains(e.Tried[i], "\n") {
			t.Errorf("tried[%d] = %q", i, e.Tried[i])
		}
	}
}

// TestDeviceClockBack: a node whose clock was years ahead told the device so. It refuses what ends some day, and time after time; the node
// says so, does not set it back by itself, and does when the owner asks.
func TestDeviceClockBack(t *testing.T) {
	f := newFarm(t)
	ctx := t.Context()
	spec := capability.FrameSpec{Limits: []capability.Limit{{Type: capability.TypeExpiry, Unix: uint32(time.Now().Add(time.Hour).Unix())}}}
	with := narrow(t, f.state, "greenhouse/owner", spec)
	read := func() capability.Reason {
		t.Helper()
		res, err := f.client.Call(ctx, api.CallRequest{Service: "greenhouse", Method: "GET", Path: "/l/temperature", Capability: with})
		if err != nil {
			t.Fatal(err)
		}
		return capability.Reason(res.Reason)
	}
	if got := read(); got != capability.ReasonNone {
		t.Fatalf("before: reason %d", got)
	}
	f.device.SetClock(time.Now().AddDate(3, 0, 0))
	if got := read(); got != capability.ReasonDenied {
		t.Errorf("with a clock from ahead: reason %d, want 11", got)
	}
	f.device.Reboot() // the mark is still there, and the node tells the time again
	eventually(t, "the node notices", func() error {
		d, err := f.client.Devices(ctx)
		if err == nil && !d[0].ClockRefused {
			err = fmt.Errorf("%+v", d)
		}
		return err
	})
	if clock, err := f.client.DeviceClock(ctx, api.DeviceClockRequest{Device: "greenhouse"}); err != nil || !clock.Unknown || !clock.Refused {
		t.Errorf("after a restart: %+v, %v, want a clock that is not set and refuses", clock, err)
	}
	f.device.SetClock(time.Now().AddDate(3, 0, 0))
	clock, err := f.client.DeviceClock(ctx, api.DeviceClockRequest{Device: "greenhouse"})
	if err != nil || clock.AheadS != 365*86_400 || clock.BehindS != 0 {
		t.Errorf("compared: %+v, %v, want a year ahead or more", clock, err)
	}
	if d, err := f.client.Devices(ctx); err != nil || d[0].ClockAheadS != 365*86_400 {
		t.Errorf("what is shown of the device: %+v, %v", d, err)
	}
	if ahead := time.Until(f.device.Clock()); ahead < 365*24*time.Hour {
		t.Errorf("the clock was set back by itself: it is %v ahead", ahead)
	}
	clock, err = f.client.DeviceClock(ctx, api.DeviceClockRequest{Device: "greenhouse", Set: true})
	if err != nil || clock.AheadS != 0 || clock.BehindS != 0 {
		t.Errorf("set: %+v, %v", clock, err)
	}
	if off := time.Until(f.device.Clock()).Abs(); off > time.Minute {
		t.Errorf("the device's clock is off by %v", off)
	}
	if got := read(); got != capability.ReasonNone {
		t.Errorf("after it: reason %d", got)
	}
	f.device.SetClock(time.Now().AddDate(0, 0, -40))
	if clock, err = f.client.DeviceClock(ctx, api.DeviceClockRequest{Device: "greenhouse"}); err != nil || clock.BehindS != 30*86_400 {
		t.Errorf("behind: %+v, %v, want 30 days or more", clock, err)
	}
	if _, err := f.client.DeviceClock(ctx, api.DeviceClockRequest{Device: "nobody"}); api.KindOf(err) != api.NotFound {
		t.Errorf("no such device: %v", err)
	}
}
