package proxy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/coap/link"
	"github.com/edgeistry/edgeistry/coap/link/linktest"
	"github.com/edgeistry/edgeistry/proxy"
)

var (
	epochKey = capability.EpochKey{1, 2, 3}
	service  = edgeistry.ServiceID{ // some public key: nothing is signed here
		0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
		0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
	}
	other = edgeistry.ServiceID{
		0x3d, 0x40, 0x17, 0xc3, 0xe8, 0x43, 0x89, 0x5a, 0x92, 0xb7, 0x0a, 0xa7, 0x4d, 0x1b, 0x7e, 0xbc,
		0x9c, 0x98, 0x2c, 0xcf, 0x2e, 0xc4, 0x96, 0x8c, 0xc0, 0xcd, 0x55, 0xf1, 0x2a, 0xf4, 0x66, 0x0c,
	}
	mesh  = coap.Source{Peer: "12D3KooW"}
	local = coap.Source{Peer: "local", Local: true}
	plain = coap.Source{Peer: "127.0.0.1", Datagram: true}
	quiet = slog.New(slog.DiscardHandler)
)

// link is a device without sockets. Before sees each request as it reaches the device.
type testLink struct {
	device *linktest.Device
	before func(ctx context.Context, req *coap.Message) (*coap.Message, error)

	mu    sync.Mutex
	id    uint16
	asked []*coap.Message
	busy  int
	most  int // requests at a time
}

func (l *testLink) Exchange(ctx context.Context, req *coap.Message) (*coap.Message, coap.Legs, error) {
	l.mu.Lock()
	l.id++
	id := l.id
	l.asked = append(l.asked, req.Clone())
	l.busy++
	l.most = max(l.most, l.busy)
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.busy--
		l.mu.Unlock()
	}()
	if l.before != nil {
		if resp, err := l.before(ctx, req); resp != nil || err != nil {
			return resp, coap.Legs{}, err
		}
	}
	raw, err := (&coap.Datagram{ID: id, Message: *req}).Append(nil)
	if err != nil {
		return nil, coap.Legs{}, err
	}
	d, err := coap.DecodeDatagram(l.device.Handle(raw))
	if err != nil {
		return nil, coap.Legs{}, err
	}
	return &d.Message, coap.Legs{Queue: time.Millisecond, Link: 2 * time.Millisecond, Device: 3 * time.Millisecond}, nil
}

func (l *testLink) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.asked)
}

func start(t *testing.T, cfg proxy.Config) *proxy.Proxy {
	t.Helper()
	cfg.Logger = quiet
	p, err := proxy.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// greenhouse is a proxy with one claimed device.
func greenhouse(t *testing.T, cfg proxy.Config) (*proxy.Proxy, *testLink) {
	t.Helper()
	p := start(t, cfg)
	l := &testLink{device: linktest.Claimed(service.Hint(), epochKey)}
	if err := p.AddDevice(service, l.device.Manifest, l); err != nil {
		t.Fatal(err)
	}
	return p, l
}

// request makes a request to a service by Uri-Host.
func request(t *testing.T, code uint8, path string, payload []byte) *coap.Message {
	t.Helper()
	m, err := coap.NewRequest(code, path, nil, payload)
	if err != nil {
		t.Fatal(err)
	}
	m.Add(coap.OptionURIHost, []byte(service.String()))
	return m
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func wantCode(t *testing.T, what string, resp *coap.Message, code uint8) {
	t.Helper()
	if resp == nil || resp.Code != code {
		t.Errorf("%s: %v, want %s", what, resp, coap.CodeText(code))
	}
}

func TestNaming(t *testing.T) {
	p, _ := greenhouse(t, proxy.Config{})
	k51 := service.String()
	with := func(options ...any) *coap.Message {
		m := &coap.Message{Code: coap.CodeGET}
		for i := 0; i < len(options); i += 2 {
			m.Add(uint16(options[i].(int)), []byte(options[i+1].(string)))
		}
		return m
	}
	core := []any{11, ".well-known", 11, "core"}
	for _, c := range []struct {
		name string
		req  *coap.Message
		from coap.Source
		want uint8
	}{
		{"Uri-Host", with(append(core, 3, k51)...), plain, coap.CodeContent},
		{"Uri-Host in capitals", with(append(core, 3, strings.ToUpper(k51))...), mesh, coap.CodeContent},
		{"Uri-Port is ignored", with(append(core, 3, k51, 7, "\x01")...), plain, coap.CodeContent},
		{"Proxy-Uri", with(35, "coap://"+k51+"/.well-known/core"), plain, coap.CodeContent},
		{"Proxy-Uri with its port", with(35, "coap://"+k51+":5683/.well-known/core"), plain, coap.CodeContent},
		{"Proxy-Uri goes before Uri-*", with(35, "coap://"+k51+"/.well-known/core", 3, "x", 11, "y", 15, "z"), plain, coap.CodeContent},
		{"Proxy-Scheme", with(append(core, 3, k51, 39, "coap")...), plain, coap.CodeContent},
		{"Proxy-Scheme without a host", with(append(core, 39, "coap")...), plain, coap.CodeProxyNotSupported},
		{"Proxy-Scheme http", with(append(core, 3, k51, 39, "http")...), plain, coap.CodeProxyNotSupported},
		{"Proxy-Scheme to a host", with(append(core, 3, "example.org", 39, "coap")...), plain, coap.CodeProxyNotSupported},
		{"Proxy-Uri to a host", with(35, "coap://example.org/.well-known/core"), plain, coap.CodeProxyNotSupported},
		{"Proxy-Uri to an address", with(35, "coap://127.0.0.1:22/"), plain, coap.CodeProxyNotSupported},
		{"Proxy-Uri to IPv6", with(35, "coap://[::1]/"), plain, coap.CodeProxyNotSupported},
		{"Proxy-Uri to a port", with(35, "coap://"+k51+":22/.well-known/core"), plain, coap.CodeProxyNotSupported},
		{"Proxy-Uri with http", with(35, "http://"+k51+"/"), plain, coap.CodeProxyNotSupported},
		{"Proxy-Uri, dots", with(35, "coap://"+k51+"/l/../k"), plain, coap.CodeProxyNotSupported},
		{"Proxy-Uri, hidden slash", with(35, "coap://"+k51+"/.well-known%2Fcore"), plain, coap.CodeNotFound},
		{"another service", with(append(core, 3, other.String())...), plain, coap.CodeNotFound},
		{"the node by its name", with(append(core, 3, "localhost")...), plain, coap.CodeContent},
		{"a name over the mesh", with(append(core, 3, "localhost")...), mesh, coap.CodeProxyNotSupported},
		{"the node", with(core...), plain, coap.CodeContent},
		{"the node from the mesh", with(core...), mesh, coap.CodeNotFound},
		{"the node, other path", with(11, "l"), plain, coap.CodeNotFound},
		{"slash in a segment", with(11, ".well-known/core", 3, k51), plain, coap.CodeNotFound},
		{"dots in a segment", with(11, "..", 11, "k", 3, k51), plain, coap.CodeNotFound},
		{"empty segment", with(11, "", 11, "k", 3, k51), plain, coap.CodeNotFound},
		{"too many segments", with(11, "a", 11, "a", 11, "a", 11, "a", 3, k51), plain, coap.CodeBadRequest},
		{"long segment", with(11, strings.Repeat("a", 32), 3, k51), plain, coap.CodeBadRequest},
		{"too many queries", with(15, "a", 15, "a", 15, "a", 15, "a", 15, "a", 3, k51), plain, coap.CodeBadRequest},
		{"hop limit 0", with(append(core, 3, k51, 16, "\x00")...), plain, coap.CodeHopLimitReached},
		{"hop limit 1 at home", with(append(core, 3, k51, 16, "\x01")...), plain, coap.CodeContent},
		{"unknown critical option", with(append(core, 3, k51, 9, "x")...), plain, coap.CodeBadOption},
		{"unknown elective option", with(append(core, 3, k51, 2054, "x")...), plain, coap.CodeContent},
		{"Accept another format", with(append(core, 3, k51, 17, "\x32")...), plain, 0x86},
	} {
		wantCode(t, c.name, p.ServeCoAP(bounded(t), c.from, c.req), c.want)
	}
	resp := p.ServeCoAP(bounded(t), plain, with(core...))
	if want := "<coap://" + k51 + `/.well-known/core>;ct=40;rt="edg.svc"`; string(resp.Payload) != want {
		t.Errorf("the node's own list = %s, want %s", resp.Payload, want)
	}
}

func TestWhatADeviceSees(t *testing.T) {
	p, l := greenhouse(t, proxy.Config{})
	caller := client.New(client.Config{})
	m, err := coap.NewRequest(coap.CodePOST, "/f/valve", nil, []byte{20})
	if err != nil {
		t.Fatal(err)
	}
	via := coap.DoerFunc(func(ctx context.Context, req *coap.Message) (*coap.Message, error) {
		req = req.Clone()
		req.Set(coap.OptionHopLimit, []byte{3})
		req.Set(coap.OptionMaxAge, []byte{3})
		return p.ServeCoAP(ctx, mesh, req), nil
	})
	result, err := caller.Call(bounded(t), via, capability.Owner(service, epochKey, 1), client.Request{Message: m, Trace: true})
	if err != nil {
		t.Fatal(err)
	}
	seen := l.asked[len(l.asked)-1]
	sent := result.Request.Clone()
	for _, hop := range []uint16{coap.OptionURIHost, coap.OptionTrace, coap.OptionHopLimit, coap.OptionMaxAge} {
		sent.Remove(hop)
	}
	a, _ := (&coap.Datagram{Message: *seen}).Append(nil)
	b, _ := (&coap.Datagram{Message: *sent}).Append(nil)
	if !bytes.Equal(a, b) {
		t.Errorf("the device saw %x, the caller protected %x", a, b)
	}
	legs := make(map[coap.Leg]time.Duration)
	for _, leg := range result.Legs {
		legs[leg.Leg] = leg.Took
	}
	if legs[coap.LegLink] != 2*time.Millisecond || legs[coap.LegDevice] != 3*time.Millisecond || legs[coap.LegQueue] < time.Millisecond {
		t.Errorf("legs = %v", result.Legs)
	}
	if _, ok := legs[coap.LegHome]; !ok || len(legs) != 4 {
		t.Errorf("legs = %v, want queue, link, device, home", result.Legs)
	}
}

// TestAdmission: what a device would refuse does not reach it.
func TestAdmission(t *testing.T) {
	p, l := greenhouse(t, proxy.Config{})
	protect := func(m *coap.Message) *coap.Message {
		m.Add(coap.OptionRequest, append([]byte{0x20}, make([]byte, 16)...))
		return m
	}
	add := func(m *coap.Message, number uint16, value string) *coap.Message {
		m.Add(number, []byte(value))
		return m
	}
	byURI := &coap.Message{Code: coap.CodePOST}
	byURI.Add(coap.OptionProxyURI, []byte("coap://"+service.String()+"/f/valve"))
	for _, c := range []struct {
		name   string
		req    *coap.Message
		reason capability.Reason
	}{
		{"claim", request(t, coap.CodePOST, "/k", make([]byte, 33)), capability.ReasonClaimClosed},
		{"claim, protected", protect(request(t, coap.CodePOST, "/k", nil)), capability.ReasonClaimClosed},
		{"claim, longer path", request(t, coap.CodePOST, "/k/k", nil), capability.ReasonClaimClosed},
		{"log without capability", request(t, coap.CodeGET, "/l/temperature", nil), capability.ReasonNeedCapability},
		{"function without capability", request(t, coap.CodePOST, "/f/valve", nil), capability.ReasonNeedCapability},
		{"another resource", request(t, coap.CodeGET, "/x", nil), capability.ReasonNotFound},
		{"POST to core", request(t, coap.CodePOST, "/.well-known/core", nil), capability.ReasonMethod},
		{"GET of the hello", request(t, coap.CodeGET, "/h", nil), capability.ReasonMethod},
		{"hello of 19 bytes", request(t, coap.CodePOST, "/h", make([]byte, 19)), capability.ReasonMalformed},
		{"protected in Proxy-Uri", protect(byURI), capability.ReasonBadOption},
		{"protected with ETag", add(protect(request(t, coap.CodePOST, "/f/valve", nil)), coap.OptionETag, "x"), capability.ReasonBadOption},
		{"protected with an unknown elective option", add(protect(request(t, coap.CodePOST, "/f/valve", nil)), 2054, "x"), capability.ReasonBadOption},
		{"news", request(t, coap.CodePOST, "/u", nil), capability.ReasonNotFound},
	} {
		for _, from := range []coap.Source{mesh, plain, local} {
			resp := p.ServeCoAP(bounded(t), from, c.req)
			if len(resp.Payload) == 0 || capability.Reason(resp.Payload[0]) != c.reason || resp.Code != c.reason.Code() {
				t.Errorf("%s: %v, want reason %d", c.name, resp, c.reason)
			}
		}
	}
	if n := l.count(); n != 0 {
		t.Errorf("%d requests reached the device", n)
	}
	wantCode(t, "an answer as a request", p.ServeCoAP(bounded(t), mesh, request(t, coap.CodeContent, "/h", nil)), coap.CodeBadRequest)
}

func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, l := greenhouse(t, proxy.Config{Limits: proxy.Limits{Queue: 2}})
		release := make(chan struct{})
		l.before = func(context.Context, *coap.Message) (*coap.Message, error) {
			<-release
			return nil, nil
		}
		answers := make(chan uint8, 10)
		ask := func(from coap.Source) {
			go func() {
				answers <- p.ServeCoAP(t.Context(), from, request(t, coap.CodePOST, "/h", make([]byte, 20))).Code
			}()
			synctest.Wait()
		}
		for range 3 { // one under way, two wait
			ask(mesh)
		}
		if w := p.Devices()[0].Waiting; w != 2 {
			t.Fatalf("%d wait, want 2", w)
		}
		ask(mesh)
		if code := <-answers; code != coap.CodeUnavailable {
			t.Errorf("beyond the queue: %s, want 5.03", coap.CodeText(code))
		}
		// Another peer gets a place in the full queue: the greedy one gives up its newest.
		ask(plain)
		if code := <-answers; code != coap.CodeUnavailable {
			t.Errorf("the greedy peer's newest: %s, want 5.03", coap.CodeText(code))
		}
		close(release)
		for range 3 {
			if code := <-answers; code>>5 == 5 {
				t.Errorf("in the queue: %s", coap.CodeText(code))
			}
		}
		if l.most != 1 {
			t.Errorf("%d requests at the device at a time, want 1", l.most)
		}
	})
}

// TestQueueLeave: who stops waiting gives its place free, and the turn is never lost.
func TestQueueLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, l := greenhouse(t, proxy.Config{})
		release := make(chan struct{})
		l.before = func(context.Context, *coap.Message) (*coap.Message, error) {
			<-release
			return nil, nil
		}
		hello := request(t, coap.CodePOST, "/h", make([]byte, 20))
		done := make(chan *coap.Message, 3)
		go func() { done <- p.ServeCoAP(t.Context(), mesh, hello) }()
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		go func() { done <- p.ServeCoAP(ctx, plain, hello) }()
		synctest.Wait()
		cancel()
		wantCode(t, "who left", <-done, coap.CodeGatewayTimeout)
		go func() { done <- p.ServeCoAP(t.Context(), local, hello) }()
		synctest.Wait()
		close(release)
		<-done
		<-done
		if l.count() != 2 {
			t.Errorf("%d requests reached the device, want 2", l.count())
		}
	})
}

func TestOpeningsAreRationed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := greenhouse(t, proxy.Config{})
		hello := request(t, coap.CodePOST, "/h", make([]byte, 20))
		open := request(t, coap.CodePOST, "/f/valve", nil)
		open.Add(coap.OptionRequest, append([]byte{0x1F, 0xFF}, make([]byte, 60)...))
		for i := range 20 {
			req := hello
			if i%2 == 1 {
				req = open
			}
			if resp := p.ServeCoAP(t.Context(), mesh, req); resp.Code == coap.CodeTooManyRequests {
				t.Fatalf("opening %d refused", i+1)
			}
		}
		resp := p.ServeCoAP(t.Context(), mesh, hello)
		wantCode(t, "the 21st", resp, coap.CodeTooManyRequests)
		if age, ok := resp.GetUint(coap.OptionMaxAge); !ok || age != 1 {
			t.Errorf("Max-Age = %d, want 1", age)
		}
		wantCode(t, "an open beyond the ration", p.ServeCoAP(t.Context(), mesh, open), coap.CodeTooManyRequests)
		if resp := p.ServeCoAP(t.Context(), coap.Source{Peer: "another"}, hello); resp.Code == coap.CodeTooManyRequests {
			t.Error("another peer pays for it")
		}
		if resp := p.ServeCoAP(t.Context(), local, hello); resp.Code == coap.CodeTooManyRequests {
			t.Error("this process pays for it")
		}
		time.Sleep(time.Second) // of the bubble's clock: two more
		for i, want := range []bool{true, true, false} {
			if got := p.ServeCoAP(t.Context(), mesh, hello).Code != coap.CodeTooManyRequests; got != want {
				t.Errorf("opening %d after a second: %v, want %v", i+1, got, want)
			}
		}
	})
}

func TestUnderWayIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, proxy.Config{Limits: proxy.Limits{UnderWay: 3, Peers: 2}})
		release := make(chan struct{})
		if err := p.Host(service, coap.HandlerFunc(func(context.Context, coap.Source, *coap.Message) *coap.Message {
			<-release
			return &coap.Message{Code: coap.CodeContent}
		})); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				wantCode(t, "under way", p.ServeCoAP(t.Context(), mesh, request(t, 1, "/x", nil)), coap.CodeContent)
			})
		}
		synctest.Wait()
		wantCode(t, "one too many", p.ServeCoAP(t.Context(), mesh, request(t, 1, "/x", nil)), coap.CodeTooManyRequests)
		wg.Go(func() {
			wantCode(t, "another peer", p.ServeCoAP(t.Context(), plain, request(t, 1, "/x", nil)), coap.CodeContent)
		})
		synctest.Wait()
		wantCode(t, "a third peer, with no place to remember it",
			p.ServeCoAP(t.Context(), coap.Source{Peer: "third"}, request(t, 1, "/x", nil)), coap.CodeTooManyRequests)
		close(release)
		wg.Wait()
		for i := range 100 { // peers come and go
			resp := p.ServeCoAP(t.Context(), coap.Source{Peer: fmt.Sprint(i)}, request(t, 1, "/x", nil))
			wantCode(t, "one of many peers", resp, coap.CodeContent)
		}
	})
}

func TestCoreIsCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, l := greenhouse(t, proxy.Config{})
		core := request(t, coap.CodeGET, "/.well-known/core", nil)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { wantCode(t, "core", p.ServeCoAP(t.Context(), plain, core), coap.CodeContent) })
		}
		wg.Wait()
		if n := l.count(); n != 1 {
			t.Errorf("%d exchanges for 50 readers, want 1", n)
		}
		time.Sleep(20 * time.Second)
		resp := p.ServeCoAP(t.Context(), plain, core)
		if age, _ := resp.GetUint(coap.OptionMaxAge); age != 40 {
			t.Errorf("Max-Age = %d after 20 s, want 40", age)
		}
		etag, _ := resp.Get(coap.OptionETag)
		revalidate := core.Clone()
		revalidate.Add(coap.OptionETag, etag)
		if resp := p.ServeCoAP(t.Context(), plain, revalidate); resp.Code != coap.CodeValid || len(resp.Payload) != 0 {
			t.Errorf("revalidation: %v, want 2.03", resp)
		}
		time.Sleep(40 * time.Second)
		wantCode(t, "core", p.ServeCoAP(t.Context(), plain, core), coap.CodeContent)
		if n := l.count(); n != 2 {
			t.Errorf("%d exchanges after 60 s, want 2", n)
		}
		time.Sleep(time.Minute)
		l.before = func(context.Context, *coap.Message) (*coap.Message, error) { return nil, coap.ErrTimeout }
		for range 10 {
			wantCode(t, "a silent device", p.ServeCoAP(t.Context(), plain, core), coap.CodeGatewayTimeout)
		}
		if n := l.count(); n != 3 {
			t.Errorf("%d exchanges with a silent device, want 1", n-2)
		}
	})
}

func TestCoreInBlocks(t *testing.T) {
	p, l := greenhouse(t, proxy.Config{})
	for i := range 30 {
		l.device.Manifest.Logs = append(l.device.Manifest.Logs, edgeistry.LogInfo{Name: fmt.Sprintf("log-%02d", i), Period: 1000})
	}
	whole, err := coap.EncodeLinks(l.device.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	l.before = func(_ context.Context, req *coap.Message) (*coap.Message, error) { // the device serves blocks of 64
		block, _ := req.GetUint(coap.OptionBlock2)
		number := block >> 4
		if number > 0 && block&7 != 2 {
			t.Errorf("block of size %d asked, want 2", block&7)
		}
		end := min(int(number+1)*64, len(whole))
		more := uint32(0)
		if end < len(whole) {
			more = 8
		}
		resp := &coap.Message{Code: coap.CodeContent, Payload: whole[number*64 : end]}
		resp.AddUint(coap.OptionContentFormat, coap.ContentFormatLink)
		resp.AddUint(coap.OptionBlock2, number<<4|more|2)
		return resp, nil
	}
	core := request(t, coap.CodeGET, "/.well-known/core", nil)
	if resp := p.ServeCoAP(bounded(t), mesh, core); !bytes.Equal(resp.Payload, whole) {
		t.Errorf("over the mesh: %d bytes, want %d", len(resp.Payload), len(whole))
	}
	for _, size := range []uint32{6, 2, 0} { // a datagram's reader gets 1,024 at most, or what it asks for
		var got []byte
		for number := uint32(0); ; number++ {
			req := core.Clone()
			if number > 0 || size != 6 {
				req.AddUint(coap.OptionBlock2, number<<4|size)
			}
			resp := p.ServeCoAP(bounded(t), plain, req)
			block, ok := resp.GetUint(coap.OptionBlock2)
			if !ok || block&7 != size || block>>4 != number || len(resp.Payload) > 16<<size {
				t.Fatalf("block %d of size %d: %v", number, size, resp)
			}
			got = append(got, resp.Payload...)
			if block&8 == 0 {
				break
			}
		}
		if !bytes.Equal(got, whole) {
			t.Errorf("in blocks of size %d: %d bytes, want %d", size, len(got), len(whole))
		}
	}
	for _, block := range []uint32{7, 1000<<4 | 2, 1<<24 | 2} {
		req := core.Clone()
		req.AddUint(coap.OptionBlock2, block)
		wantCode(t, "a block that is none", p.ServeCoAP(bounded(t), plain, req), coap.CodeBadRequest)
	}
}

func TestForward(t *testing.T) {
	var mu sync.Mutex
	var onward *coap.Message
	answer := &coap.Message{Code: coap.CodeContent, Payload: []byte("far")}
	answer.Add(coap.OptionTrace, coap.EncodeTrace([]coap.Timing{{Leg: coap.LegHome, Took: time.Millisecond}}))
	cfg := proxy.Config{Resolve: func(_ context.Context, id edgeistry.ServiceID) (coap.Doer, error) {
		if id != service {
			return nil, fmt.Errorf("resolve: %w", proxy.ErrNotFound)
		}
		return coap.DoerFunc(func(_ context.Context, req *coap.Message) (*coap.Message, error) {
			mu.Lock()
			defer mu.Unlock()
			onward = req.Clone()
			return answer, nil
		}), nil
	}}
	p := start(t, cfg)
	req := request(t, coap.CodeGET, "/l/temperature", nil)
	req.Add(coap.OptionRequest, append([]byte{0x20}, make([]byte, 16)...))
	req.Add(coap.OptionTrace, nil)
	req.Add(coap.OptionHopLimit, []byte{5})
	resp := p.ServeCoAP(bounded(t), plain, req)
	wantCode(t, "forwarded", resp, coap.CodeContent)
	if hops, _ := onward.GetUint(coap.OptionHopLimit); hops != 4 {
		t.Errorf("onward with Hop-Limit %d, want 4", hops)
	}
	if host, _ := onward.Get(coap.OptionURIHost); string(host) != service.String() {
		t.Errorf("onward to %q", host)
	}
	trace, _ := resp.Get(coap.OptionTrace)
	if timings, err := coap.DecodeTrace(trace); err != nil || len(timings) != 3 || timings[2].Leg != coap.LegHome {
		t.Errorf("trace = %v, %v, want resolve, mesh, home", timings, err)
	}
	req.Set(coap.OptionHopLimit, []byte{1})
	wantCode(t, "the last hop", p.ServeCoAP(bounded(t), plain, req), coap.CodeHopLimitReached)
	req.Remove(coap.OptionHopLimit)
	wantCode(t, "from the mesh", p.ServeCoAP(bounded(t), mesh, req), coap.CodeNotFound)
	req.Set(coap.OptionURIHost, []byte(other.String()))
	wantCode(t, "a service that nobody serves", p.ServeCoAP(bounded(t), plain, req), coap.CodeNotFound)

	req.Set(coap.OptionURIHost, []byte(service.String()))
	wantCode(t, "without a hop limit", p.ServeCoAP(bounded(t), plain, req), coap.CodeContent)
	if hops, _ := onward.GetUint(coap.OptionHopLimit); hops != 7 {
		t.Errorf("onward with Hop-Limit %d, want 7", hops)
	}
}

func TestFailuresOnTheWay(t *testing.T) {
	p, l := greenhouse(t, proxy.Config{})
	for _, c := range []struct {
		err  error
		want uint8
	}{
		{coap.ErrTimeout, coap.CodeGatewayTimeout},
		{coap.ErrLinkDown, coap.CodeUnavailable},
		{coap.ErrReset, coap.CodeBadGateway},
		{coap.ErrTooLarge, coap.CodeTooLarge},
		{errors.New("open /dev/secret: no such file"), coap.CodeBadGateway},
	} {
		l.before = func(context.Context, *coap.Message) (*coap.Message, error) { return nil, c.err }
		resp := p.ServeCoAP(bounded(t), local, request(t, coap.CodePOST, "/h", make([]byte, 20)))
		wantCode(t, c.err.Error(), resp, c.want)
		if bytes.Contains(resp.Payload, []byte("secret")) {
			t.Errorf("the answer tells of this node's insides: %s", resp.Payload)
		}
	}
}

func TestMirrorAndHost(t *testing.T) {
	p, l := greenhouse(t, proxy.Config{})
	says := func(text string) coap.Handler {
		return coap.HandlerFunc(func(context.Context, coap.Source, *coap.Message) *coap.Message {
			return &coap.Message{Code: coap.CodeContent, Payload: []byte(text)}
		})
	}
	hello, err := capability.Owner(service, epochKey, 1).NewHello(bytes.NewReader(make([]byte, 8)))
	if err != nil {
		t.Fatal(err)
	}
	hello.Mirror = true
	toMirror := hello.Message()
	toMirror.Add(coap.OptionURIHost, []byte(service.String()))
	protected := request(t, coap.CodeGET, "/l/temperature", nil)
	protected.Add(coap.OptionRequest, append([]byte{0xA0}, make([]byte, 16)...))
	for _, req := range []*coap.Message{toMirror, protected} {
		wantCode(t, "no mirror", p.ServeCoAP(bounded(t), mesh, req), coap.CodeNotFound)
	}
	if err := p.HostMirror(service, says("mirror")); err != nil {
		t.Fatal(err)
	}
	for _, req := range []*coap.Message{toMirror, protected} {
		if resp := p.ServeCoAP(bounded(t), mesh, req); string(resp.Payload) != "mirror" {
			t.Errorf("to the mirror: %v", resp)
		}
	}
	if l.count() != 0 {
		t.Error("a request to the mirror reached the device")
	}
	if err := p.Host(service, says("host")); err == nil {
		t.Error("a device's service was hosted a second time")
	}
	if err := p.AddDevice(service, edgeistry.Manifest{}, l); err == nil {
		t.Error("a device was added twice")
	}
	p.RemoveDevice(service)
	wantCode(t, "only a mirror", p.ServeCoAP(bounded(t), mesh, request(t, 1, "/x", nil)), coap.CodeNotFound)
	if err := p.Host(service, says("host")); err != nil {
		t.Fatal(err)
	}
	if resp := p.ServeCoAP(bounded(t), mesh, request(t, 1, "/x", nil)); string(resp.Payload) != "host" {
		t.Errorf("to the host: %v", resp)
	}
	if err := errors.Join(p.Host(service, nil), p.HostMirror(service, nil)); err != nil {
		t.Fatal(err)
	}
	if n := len(p.Devices()); n != 0 {
		t.Errorf("%d devices", n)
	}
}

// TestOverTheMesh: caller, stream, home proxy and a device on a real socket.
func TestOverTheMesh(t *testing.T) {
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := linktest.Claimed(service.Hint(), epochKey)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer socket.Close()
	wg.Go(func() { d.ServeUDP(socket) })
	udp, err := link.Open("udp:"+socket.LocalAddr().String(), link.Config{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	home := start(t, proxy.Config{})
	if err := home.AddDevice(service, d.Manifest, udp); err != nil {
		t.Fatal(err)
	}
	here, there := net.Pipe()
	wg.Go(func() { _ = coap.ServeConn(bounded(t), there, home, mesh, coap.StreamConfig{}) })
	stream := coap.NewClient(here, coap.StreamConfig{})
	defer stream.Close()
	node := start(t, proxy.Config{Resolve: func(context.Context, edgeistry.ServiceID) (coap.Doer, error) { return stream, nil }})

	caller := client.New(client.Config{})
	m, err := coap.NewRequest(coap.CodePOST, "/f/valve", nil, []byte{20})
	if err != nil {
		t.Fatal(err)
	}
	result, err := caller.Call(bounded(t), node.Local(), capability.Owner(service, epochKey, 1), client.Request{Message: m, Trace: true})
	if err != nil {
		t.Fatal(err)
	}
	var order []coap.Leg
	for _, leg := range result.Legs {
		order = append(order, leg.Leg)
	}
	want := []coap.Leg{coap.LegResolve, coap.LegMesh, coap.LegQueue, coap.LegLink, coap.LegDevice, coap.LegHome}
	if fmt.Sprint(order) != fmt.Sprint(want) {
		t.Errorf("legs %v, want %v", order, want)
	}
	if moves, valve := d.Moves(); moves != 1 || valve != 20 {
		t.Errorf("valve moved %d times to %d", moves, valve)
	}
	if seen := home.Devices()[0].Seen; seen.IsZero() {
		t.Error("the device was not seen")
	}
}
