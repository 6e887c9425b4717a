package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/denylist"
)

var (
	stageService = edgeistry.ServiceID{0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a}
	fromMesh     = coap.Source{Peer: "12D3KooW"}
	fromHere     = coap.Source{Peer: "local", Local: true}
)

// plainRequest is a request with these options, each a number and a value.
func plainRequest(code uint8, options ...any) *coap.Message {
	m := &coap.Message{Code: code}
	for i := 0; i < len(options); i += 2 {
		m.Add(options[i].(uint16), []byte(options[i+1].(string)))
	}
	return m
}

// last is the end of a chain: it counts what reaches it.
type last struct {
	reached int
	answer  *coap.Message
	err     error
}

func (l *last) handle(context.Context, *request) (*coap.Message, error) {
	l.reached++
	return l.answer, l.err
}

func newLast() *last { return &last{answer: &coap.Message{Code: coap.CodeContent}} }

func codeOf(m *coap.Message) string {
	if m == nil {
		return "none"
	}
	return coap.CodeText(m.Code)
}

func newTestProxy(t *testing.T, cfg Config) *Proxy {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestChainOrder(t *testing.T) {
	var order []string
	mark := func(name string) stage {
		return func(ctx context.Context, r *request, next handler) (*coap.Message, error) {
			order = append(order, name)
			defer func() { order = append(order, name+" after") }()
			return next(ctx, r)
		}
	}
	h := chain(func(context.Context, *request) (*coap.Message, error) {
		order = append(order, "last")
		return nil, nil
	}, mark("a"), mark("b"))
	if _, err := h(t.Context(), &request{}); err != nil || !slices.Equal(order, []string{"a", "b", "last", "b after", "a after"}) {
		t.Errorf("order %q, %v", order, err)
	}
}

func TestParse(t *testing.T) {
	id := stageService.String()
	proof := string(append([]byte{0x20}, make([]byte, 16)...))
	for name, c := range map[string]struct {
		req  *coap.Message
		want request // of it: own, hops, protected, hello, opens, mirror, core, path
	}{
		"session":      {plainRequest(coap.CodePOST, coap.OptionURIHost, id, coap.OptionURIPath, "f", coap.OptionURIPath, "valve", coap.OptionRequest, proof), request{hops: 8, protected: true}},
		"mirror":       {plainRequest(coap.CodeGET, coap.OptionURIHost, id, coap.OptionURIPath, "l", coap.OptionURIPath, "t", coap.OptionRequest, "\xa0"+proof[1:]), request{hops: 8, protected: true, mirror: true}},
		"open":         {plainRequest(coap.CodeGET, coap.OptionURIHost, id, coap.OptionRequest, "\x1f"+proof[1:]), request{hops: 8, protected: true, opens: true}},
		"hello":        {plainRequest(coap.CodePOST, coap.OptionURIHost, id, coap.OptionURIPath, "h", coap.OptionHopLimit, "\x03"), request{hops: 3, hello: true, opens: true, path: "/h"}},
		"core":         {plainRequest(coap.CodeGET, coap.OptionURIHost, id, coap.OptionURIPath, ".well-known", coap.OptionURIPath, "core"), request{hops: 8, core: true, path: "/.well-known/core"}},
		"no service":   {plainRequest(coap.CodeGET, coap.OptionURIPath, "x"), request{hops: 8, own: true, path: "/x"}},
		"by Proxy-Uri": {plainRequest(coap.CodeGET, coap.OptionURIPath, "x", coap.OptionProxyURI, "coap://"+id+"/.well-known/core"), request{hops: 8, core: true, path: "/.well-known/core"}},
	} {
		before := c.req.Clone()
		r, refusal := parse(fromMesh, c.req)
		if refusal != nil {
			t.Errorf("%s: refused with %s", name, codeOf(refusal))
			continue
		}
		if r.own != c.want.own || r.hops != c.want.hops || r.protected != c.want.protected || r.hello != c.want.hello || r.opens != c.want.opens ||
			r.mirror != c.want.mirror || r.core != c.want.core || r.path != c.want.path || !r.own && r.service != stageService {
			t.Errorf("%s: %+v", name, r)
		}
		if !slices.EqualFunc(before.Options, c.req.Options, func(a, b coap.Option) bool { return a.Number == b.Number && string(a.Value) == string(b.Value) }) {
			t.Errorf("%s: parse changed the caller's message", name)
		}
		for _, o := range r.msg.Options {
			if slices.Contains([]uint16{coap.OptionURIHost, coap.OptionProxyURI, coap.OptionHopLimit}, o.Number) {
				t.Errorf("%s: option %d goes on", name, o.Number)
			}
		}
	}
	for name, c := range map[string]struct {
		req  *coap.Message
		want string
	}{
		"an answer":             {plainRequest(coap.CodeContent), "4.00"},
		"empty":                 {plainRequest(coap.CodeEmpty), "4.00"},
		"hop limit 0":           {plainRequest(coap.CodeGET, coap.OptionHopLimit, ""), "5.08"},
		"another host":          {plainRequest(coap.CodeGET, coap.OptionURIHost, "example.org"), "5.05"},
		"proxy scheme http":     {plainRequest(coap.CodeGET, coap.OptionURIHost, id, coap.OptionProxyScheme, "http"), "5.05"},
		"Proxy-Uri protected":   {plainRequest(coap.CodeGET, coap.OptionProxyURI, "coap://"+id+"/l/t", coap.OptionRequest, proof), "4.02"},
		"a port":                {plainRequest(coap.CodeGET, coap.OptionProxyURI, "coap://"+id+":1/l/t"), "5.05"},
		"a bad segment":         {plainRequest(coap.CodeGET, coap.OptionURIHost, id, coap.OptionURIPath, "../x"), "4.04"},
		"a long segment":        {plainRequest(coap.CodeGET, coap.OptionURIHost, id, coap.OptionURIPath, strings.Repeat("a", 32)), "4.00"},
		"four segments":         {plainRequest(coap.CodeGET, coap.OptionURIHost, id, coap.OptionURIPath, "a", coap.OptionURIPath, "a", coap.OptionURIPath, "a", coap.OptionURIPath, "a"), "4.00"},
		"unknown critical":      {plainRequest(coap.CodeGET, coap.OptionURIHost, id, uint16(9), "x"), "4.02"},
		"unknown and protected": {plainRequest(coap.CodeGET, coap.OptionURIHost, id, uint16(10), "x", coap.OptionRequest, proof), "4.02"},
	} {
		if _, refusal := parse(fromMesh, c.req); codeOf(refusal) != c.want {
			t.Errorf("%s: %s, want %s", name, codeOf(refusal), c.want)
		}
	}
}

func TestRefuseClaim(t *testing.T) {
	for path, want := range map[string]string{"k": "4.03", "l": "2.05"} {
		l := newLast()
		resp, err := refuseClaim(t.Context(), &request{msg: plainRequest(coap.CodePOST, coap.OptionURIPath, path)}, l.handle)
		if err != nil || codeOf(resp) != want || l.reached > 0 != (want == "2.05") {
			t.Errorf("/%s: %s, %v, %d reached", path, codeOf(resp), err, l.reached)
		}
	}
}

func TestListOwn(t *testing.T) {
	p := newTestProxy(t, Config{})
	if err := p.Host(stageService, coap.HandlerFunc(nil)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		r    request
		want string
	}{
		"a service":       {request{from: fromMesh}, "2.05"},
		"list":            {request{from: fromHere, own: true, core: true, msg: &coap.Message{Code: coap.CodeGET}}, "2.05"},
		"list for others": {request{from: fromMesh, own: true, core: true, msg: &coap.Message{Code: coap.CodeGET}}, "4.04"},
		"anything else":   {request{from: fromHere, own: true, msg: &coap.Message{Code: coap.CodeGET}}, "4.04"},
	} {
		l := newLast()
		resp, err := p.listOwn(t.Context(), &c.r, l.handle)
		if err != nil || codeOf(resp) != c.want || l.reached > 0 == c.r.own {
			t.Errorf("%s: %s, %v, %d reached", name, codeOf(resp), err, l.reached)
		}
		if name == "list" && !strings.Contains(string(resp.Payload), stageService.String()) {
			t.Errorf("the list is %q", resp.Payload)
		}
	}
}

func TestRation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestProxy(t, Config{Limits: Limits{Openings: 2, OpeningsWindow: 10 * time.Second}})
		ask := func(r *request) string {
			resp, err := p.ration(t.Context(), r, newLast().handle)
			if err != nil {
				t.Fatal(err)
			}
			if resp.Code == coap.CodeTooManyRequests {
				age, _ := resp.GetUint(coap.OptionMaxAge)
				return (time.Duration(age) * time.Second).String()
			}
			return codeOf(resp)
		}
		opening := &request{from: fromMesh, opens: true}
		for i, want := range []string{"2.05", "2.05", "5s"} {
			if got := ask(opening); got != want {
				t.Errorf("opening %d: %s, want %s", i, got, want)
			}
		}
		if got := ask(&request{from: fromMesh}); got != "2.05" {
			t.Errorf("a request in a session: %s", got)
		}
		if got := ask(&request{from: fromHere, opens: true}); got != "2.05" {
			t.Errorf("this node's own: %s", got)
		}
		if got := ask(&request{from: coap.Source{Peer: "another"}, opens: true}); got != "2.05" {
			t.Errorf("another peer: %s", got)
		}
		time.Sleep(5 * time.Second) // of the bubble's clock
		if got := ask(opening); got != "2.05" {
			t.Errorf("5 s later: %s", got)
		}
	})
}

// TestJunkSpendsOpenings: a request in a session that this proxy does not know takes an opening, and a refusal that says that it
// was junk one more. A session that was answered with a tag is known and costs nothing.
func TestJunkSpendsOpenings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestProxy(t, Config{Limits: Limits{Openings: 4, OpeningsWindow: 40 * time.Second}})
		in := func(slot string) *request {
			return &request{from: fromMesh, service: stageService, protected: true, msg: plainRequest(coap.CodeGET, coap.OptionRequest, "\x20"+slot+strings.Repeat("x", 15))}
		}
		tagged := plainRequest(coap.CodeContent, coap.OptionResponse, "\x00\x01"+strings.Repeat("x", 12))
		junk := capability.Refusal(capability.ReasonNoSession)
		other := capability.Refusal(capability.ReasonDenied)
		ask := func(r *request, answer *coap.Message) string {
			resp, err := p.ration(t.Context(), r, (&last{answer: answer}).handle)
			if err != nil {
				t.Fatal(err)
			}
			return codeOf(resp)
		}
		left := func() float64 { return p.peers.credit(fromMesh, time.Now()) }
		leave, _ := p.peers.enter(fromMesh)
		defer leave()
		for i, c := range []struct {
			slot   string
			answer *coap.Message
			want   string
			left   float64
			proved bool // before
		}{
			{"\x01", tagged, "2.05", 3, false}, // unknown yet
			{"\x01", tagged, "2.05", 3, true},
			{"\x01", other, "4.03", 3, true},
			{"\x01", junk, "4.01", 2, true},
			{"\x02", junk, "4.01", 0, true}, // a guess
			{"\x02", junk, "4.29", 0, true},
			{"\x01", tagged, "2.05", 0, true},
		} {
			r := in(c.slot)
			if got := ask(r, c.answer); got != c.want || left() != c.left || r.proved != c.proved {
				t.Errorf("request %d: %s, %v left, proved %v; want %s, %v, %v", i, got, left(), r.proved, c.want, c.left, c.proved)
			}
		}
		for range 10 {
			ask(in("\x01"), junk)
		}
		if behind := left(); behind < -4 {
			t.Errorf("%v openings left after junk without end, want no more than a window behind", behind)
		}
	})
}

// TestPlacesAreShared: proved and unproved peers fill the queue alone, and give up what exceeds their half to the other. The
// node itself has places of its own.
func TestPlacesAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, first := range []class{proved, unproved} {
			q := newTurns(8)
			ctx, cancel := context.WithCancel(t.Context())
			done, err := q.wait(ctx, first, "under way", 0)
			if err != nil {
				t.Fatal(err)
			}
			refused := make(map[class]int)
			var mu sync.Mutex
			ask := func(c class, n int) {
				for i := range n {
					go func() {
						if _, err := q.wait(ctx, c, fmt.Sprint(c, i), 0); errors.Is(err, errQueueFull) {
							mu.Lock()
							refused[c]++
							mu.Unlock()
						}
					}()
					synctest.Wait()
				}
			}
			second := proved + unproved - first
			ask(first, 9)
			ask(second, 9)
			ask(own, 9)
			if got := [3]int{q.queues[first].waiting, q.queues[second].waiting, q.queues[own].waiting}; got != [3]int{4, 4, 8} {
				t.Errorf("%v wait, want 4, 4 and 8", got)
			}
			if refused[first] != 5 || refused[second] != 5 || refused[own] != 1 {
				t.Errorf("refused: %v", refused)
			}
			cancel()
			synctest.Wait()
			if q.length() != 0 {
				t.Errorf("%d wait after all have left", q.length())
			}
			done()
			if q.busy {
				t.Error("busy without a request")
			}
		}
	})
}

func TestPeersAreBounded(t *testing.T) {
	p := newPeers(Limits{Peers: 2, UnderWay: 1, Openings: 1, OpeningsWindow: time.Second})
	leave, ok := p.enter(coap.Source{Peer: "at work"})
	if !ok {
		t.Fatal("refused")
	}
	for _, name := range []string{"a", "b", "c"} {
		done, ok := p.enter(coap.Source{Peer: name})
		if !ok {
			t.Fatalf("%s is refused", name)
		}
		done()
	}
	if p.known.Len() != 2 || !p.known.Contains("at work") {
		t.Errorf("%q are remembered, want two, and who is at work", p.known.Keys())
	}
	if _, ok := p.enter(coap.Source{Peer: "at work"}); ok {
		t.Error("two under way of one")
	}
	if _, ok := p.enter(coap.Source{Peer: "c"}); !ok {
		t.Fatal("refused")
	}
	if _, ok := p.enter(coap.Source{Peer: "d"}); ok {
		t.Error("a third peer at work has a place")
	}
	leave()
	if _, ok := p.enter(coap.Source{Peer: "d"}); !ok {
		t.Error("no place after one has left")
	}
}

func TestAdmit(t *testing.T) {
	for name, c := range map[string]struct {
		r    request
		want string
	}{
		"protected":     {request{protected: true, msg: plainRequest(coap.CodeGET)}, "2.05"},
		"hello":         {request{hello: true, msg: &coap.Message{Code: coap.CodePOST, Payload: make([]byte, helloSize)}}, "2.05"},
		"short hello":   {request{hello: true, msg: &coap.Message{Code: coap.CodePOST}}, "4.00"},
		"GET /h":        {request{msg: plainRequest(coap.CodeGET, coap.OptionURIPath, "h")}, "4.05"},
		"a log":         {request{msg: plainRequest(coap.CodeGET, coap.OptionURIPath, "l")}, "4.01"},
		"anything else": {request{msg: plainRequest(coap.CodeGET, coap.OptionURIPath, "x")}, "4.04"},
		"root":          {request{msg: plainRequest(coap.CodeGET)}, "4.04"},
	} {
		l := newLast()
		resp, err := admit(t.Context(), &c.r, l.handle)
		if err != nil || codeOf(resp) != c.want || l.reached > 0 != (c.want == "2.05") {
			t.Errorf("%s: %s, %v, %d reached", name, codeOf(resp), err, l.reached)
		}
	}
}

func TestDenyStages(t *testing.T) {
	owner := capability.Owner(stageService, capability.EpochKey{1}, 1)
	hello, err := owner.NewHello(zeros{})
	if err != nil {
		t.Fatal(err)
	}
	session, err := hello.Open(make([]byte, 16), time.Unix(1_800_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	open := plainRequest(coap.CodeGET, coap.OptionURIPath, "l", coap.OptionURIPath, "t")
	if _, err := session.Protect(open, time.Second, time.Unix(1_800_000_000, 0)); err != nil {
		t.Fatal(err)
	}
	list := new(denylist.List)
	r := &request{msg: open, here: &service{denied: list}}
	l := newLast()
	resp, err := deny(t.Context(), r, l.handle)
	if err != nil || codeOf(resp) != "2.05" {
		t.Errorf("before: %s, %v", codeOf(resp), err)
	}
	revoke := func(ctx context.Context, r *request) (*coap.Message, error) { // while the answer waits
		list.Set([]denylist.Fingerprint{denylist.Of(owner)})
		return l.handle(ctx, r)
	}
	if resp, err := denyAnswer(t.Context(), r, revoke); err != nil || codeOf(resp) != "4.03" {
		t.Errorf("denied while the answer waited: %s, %v", codeOf(resp), err)
	}
	reached := l.reached
	if resp, err := deny(t.Context(), r, l.handle); err != nil || codeOf(resp) != "4.03" || l.reached != reached {
		t.Errorf("denied: %s, %v", codeOf(resp), err)
	}
	if resp, err := deny(Foremost(t.Context()), r, l.handle); err != nil || codeOf(resp) != "2.05" {
		t.Errorf("what delivers the revocation: %s, %v", codeOf(resp), err)
	}
	// The answer tells the slot of the session; a later request in it, which shows no frames, is of the denied capability.
	opened := &coap.Message{Code: coap.CodeContent}
	opened.Add(coap.OptionResponse, append([]byte{0x10, 5}, make([]byte, 20)...))
	if _, err := learn(t.Context(), r, (&last{answer: opened}).handle); err != nil {
		t.Fatal(err)
	}
	later := &request{msg: plainRequest(coap.CodeGET, coap.OptionRequest, "\x20\x05"+strings.Repeat("\x00", 15)), here: r.here}
	if resp, err := deny(t.Context(), later, l.handle); err != nil || codeOf(resp) != "4.03" {
		t.Errorf("in the session: %s, %v", codeOf(resp), err)
	}
}

// zeros is no randomness at all.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// silentLink never answers.
type silentLink struct{ asked int }

func (l *silentLink) Exchange(ctx context.Context, _ *coap.Message) (*coap.Message, coap.Legs, error) {
	l.asked++
	<-ctx.Done()
	return nil, coap.Legs{}, context.Cause(ctx)
}

func TestGoFirst(t *testing.T) {
	failure := errors.New("not delivered")
	calls := 0
	d := newDevice(stageService, edgeistry.Manifest{}, &silentLink{}, Config{First: func(context.Context, edgeistry.ServiceID) error {
		calls++
		return failure
	}})
	l := newLast()
	if _, err := d.goFirst(t.Context(), &request{}, l.handle); !errors.Is(err, failure) || l.reached != 0 {
		t.Errorf("undelivered: %v, %d reached", err, l.reached)
	}
	if resp, err := d.goFirst(Foremost(t.Context()), &request{}, l.handle); err != nil || codeOf(resp) != "2.05" || calls != 1 {
		t.Errorf("the delivery itself: %s, %v, %d calls", codeOf(resp), err, calls)
	}
	failure = nil
	if resp, err := d.goFirst(t.Context(), &request{}, l.handle); err != nil || codeOf(resp) != "2.05" {
		t.Errorf("delivered: %s, %v", codeOf(resp), err)
	}
}

func TestTakeTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDevice(stageService, edgeistry.Manifest{}, &silentLink{}, Config{Limits: Limits{}.withDefaults()})
		hold := func(context.Context, *request) (*coap.Message, error) {
			time.Sleep(time.Second) // of the bubble's clock
			return &coap.Message{Code: coap.CodeContent}, nil
		}
		first, second := &request{from: fromMesh}, &request{from: fromHere}
		done := make(chan error, 2)
		go func() { _, err := d.takeTurn(t.Context(), first, hold); done <- err }()
		synctest.Wait()
		go func() { _, err := d.takeTurn(t.Context(), second, hold); done <- err }()
		if err := errors.Join(<-done, <-done); err != nil {
			t.Fatal(err)
		}
		if first.waits.took != 0 || second.waits.took != time.Second {
			t.Errorf("waited %v and %v, want 0 and 1 s", first.waits.took, second.waits.took)
		}
	})
}

func TestForwardStage(t *testing.T) {
	home := newLast()
	p := newTestProxy(t, Config{Resolve: func(_ context.Context, id edgeistry.ServiceID) (coap.Doer, error) {
		if id != stageService {
			return nil, ErrNotFound
		}
		return coap.DoerFunc(func(ctx context.Context, _ *coap.Message) (*coap.Message, error) { return home.handle(ctx, nil) }), nil
	}})
	msg := plainRequest(coap.CodeGET, coap.OptionURIPath, "l")
	for name, c := range map[string]struct {
		r       request
		want    string
		wantErr error
	}{
		"own caller":      {request{from: fromHere, service: stageService, hops: 8, msg: msg}, "2.05", nil},
		"another's":       {request{from: fromMesh, service: stageService, hops: 8, msg: msg}, "none", ErrNotFound},
		"the last hop":    {request{from: fromHere, service: stageService, hops: 1, msg: msg}, "5.08", nil},
		"unknown service": {request{from: fromHere, hops: 8, msg: msg}, "none", ErrNotFound},
	} {
		if resp, err := p.forward(t.Context(), &c.r); codeOf(resp) != c.want || !errors.Is(err, c.wantErr) {
			t.Errorf("%s: %s, %v", name, codeOf(resp), err)
		}
	}
	if len(msg.Options) != 1 || home.reached != 1 {
		t.Errorf("options %v, %d reached the home node", msg.Options, home.reached)
	}
}

func TestRefuseErrors(t *testing.T) {
	p := newTestProxy(t, Config{})
	for want, err := range map[string]error{
		"2.05": nil, "4.04": ErrNotFound, "5.03": errQueueFull, "4.13": coap.ErrTooLarge, "5.04": coap.ErrTimeout, "5.02": errors.New("secret"),
	} {
		l := newLast()
		if l.err = err; err != nil {
			l.answer = nil
		}
		resp, failed := p.refuseErrors(t.Context(), &request{}, l.handle)
		if failed != nil || codeOf(resp) != want || strings.Contains(string(resp.Payload), "secret") {
			t.Errorf("%v: %s %q, %v, want %s", err, codeOf(resp), resp.Payload, failed, want)
		}
	}
}

func TestTimeHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &request{trace: trace{wanted: true}}
		slow := func(context.Context, *request) (*coap.Message, error) {
			time.Sleep(time.Second) // of the bubble's clock
			return &coap.Message{Code: coap.CodeContent}, nil
		}
		resp, err := timeHome(t.Context(), r, slow)
		if err != nil {
			t.Fatal(err)
		}
		value, _ := r.trace.put(resp).Get(coap.OptionTrace)
		timings, err := coap.DecodeTrace(value)
		if err != nil || !slices.Equal(timings, []coap.Timing{{Leg: coap.LegHome, Took: time.Second}}) {
			t.Errorf("%v, %v", timings, err)
		}
		if _, traced := (&trace{}).put(resp).Get(coap.OptionTrace); traced || (&trace{}).put(nil) != nil {
			t.Error("a trace that nobody asked for, or an answer out of nothing")
		}
	})
}
