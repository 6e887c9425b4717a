package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeistry/edgeistry/node/api"
)

// fake is a node that notes what it was asked. Methods that a test does not replace are those of the nil interface.
type fake struct {
	Node
	notReady, notInMesh string
	call                func(context.Context, api.CallRequest) (*api.CallResult, error)
	appended            func(context.Context, api.AppendRequest) (*api.Receipt, error)
	deploy              func(context.Context, api.DeployRequest) (*api.Function, error)
	tail                func(context.Context, api.ReadRequest, Listener) error
	claim               func(context.Context, api.ClaimRequest, func(step, of int, text string)) (*api.ClaimResult, error)
	stopped             bool
}

func (f *fake) NotReady() string                                { return f.notReady }
func (f *fake) NotInMesh() string                               { return f.notInMesh }
func (f *fake) RequestStop()                                    { f.stopped = true }
func (f *fake) Status(context.Context) (*api.Status, error)     { return &api.Status{Node: "n"}, nil }
func (f *fake) Devices(context.Context) ([]api.Device, error)   { return nil, nil }
func (f *fake) Services(context.Context) ([]api.Service, error) { panic("a fault") }
func (f *fake) Resolve(_ context.Context, id string) (*api.Resolution, error) {
	return nil, fmt.Errorf("resolve %s: %w", id, errFake)
}

func (f *fake) Call(ctx context.Context, r api.CallRequest) (*api.CallResult, error) {
	return f.call(ctx, r)
}

func (f *fake) Append(ctx context.Context, r api.AppendRequest) (*api.Receipt, error) {
	return f.appended(ctx, r)
}

func (f *fake) Deploy(ctx context.Context, r api.DeployRequest) (*api.Function, error) {
	return f.deploy(ctx, r)
}

func (f *fake) Tail(ctx context.Context, r api.ReadRequest, to Listener) error {
	return f.tail(ctx, r, to)
}

func (f *fake) Claim(ctx context.Context, r api.ClaimRequest, step func(step, of int, text string)) (*api.ClaimResult, error) {
	return f.claim(ctx, r, step)
}

var errFake = errors.New("a cause that the node knows")

// start serves a fake node.
func start(t *testing.T, f *fake) *Server {
	t.Helper()
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), f, l, Config{
		Logger: slog.New(slog.DiscardHandler),
		ErrorOf: func(err error) *api.Error {
			if errors.Is(err, errFake) {
				return api.Errorf(api.NotFound, "mapped: %v", err)
			}
			return plainError(err)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
	return s
}

// ask sends a request straight to the handler, from a program on this machine that knows the token.
func ask(s *Server, method, path string, body io.Reader, edit ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://"+s.Address()+path, body)
	r.Header.Set("Authorization", "Bearer "+s.Token())
	r.Header.Set("Content-Type", "application/json")
	for _, e := range edit {
		e(r)
	}
	w := httptest.NewRecorder()
	s.server.Handler.ServeHTTP(w, r)
	return w
}

func TestGuard(t *testing.T) {
	f := &fake{notInMesh: "no seed answers"}
	s := start(t, f)
	token := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", token) }
	}
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	for _, c := range []struct {
		name, method, path string
		edit               func(*http.Request)
		want               int
	}{
		{"token", "GET", "/v1/status", nil, 200},
		{"no token", "GET", "/v1/status", token(""), 401},
		{"another scheme", "GET", "/v1/status", token("Basic " + s.Token()), 401},
		{"wrong token", "GET", "/v1/status", token("Bearer " + strings.Repeat("0", 64)), 401},
		{"part of the token", "GET", "/v1/status", token("Bearer " + s.Token()[:63]), 401},
		{"token and more", "GET", "/v1/status", token("Bearer " + s.Token() + "0"), 401},
		{"empty token", "GET", "/v1/status", token("Bearer "), 401},
		{"health needs none", "GET", "/healthz", token(""), 200},
		{"readiness needs none", "GET", "/readyz", token(""), 200},
		{"readiness of the mesh", "GET", "/readyz?mesh", token(""), 503},
		{"localhost", "GET", "/v1/status", host("localhost:80"), 200},
		{"IPv6 loopback", "GET", "/v1/status", host("[::1]:80"), 200},
		{"another name", "GET", "/v1/status", host("evil.example:7780"), 403},
		{"name that looks like loopback", "GET", "/v1/status", host("127.0.0.1.evil.example"), 403},
		{"another name asks for health", "GET", "/healthz", host("evil.example"), 403},
		{"another name asks for a proof", "GET", api.WhoAmIPath, host("evil.example"), 403},
		{"web page", "GET", "/v1/status", func(r *http.Request) { r.Header.Set("Origin", "null") }, 403},
		{"unknown path", "GET", "/v1/nothing", nil, 404},
		{"unknown path without a token", "GET", "/v1/nothing", token(""), 401},
		{"wrong method", "GET", "/v1/call", nil, 404},
		{"error that the node knows", "GET", "/v1/services/x/resolve", nil, 404},
		{"fault", "GET", "/v1/services", nil, 500},
	} {
		t.Run(c.name, func(t *testing.T) {
			edit := []func(*http.Request){}
			if c.edit != nil {
				edit = append(edit, c.edit)
			}
			w := ask(s, c.method, c.path, nil, edit...)
			if w.Code != c.want || strings.Contains(w.Body.String(), s.Token()) {
				t.Errorf("status = %d, want %d: %s", w.Code, c.want, w.Body)
			}
			if c.want >= 400 && !strings.Contains(w.Body.String(), `{"error":{"code":"`) {
				t.Errorf("answer %s is no error of the API", w.Body)
			}
		})
	}
	if w := ask(s, "GET", "/v1/devices", nil); strings.TrimSpace(w.Body.String()) != `{"devices":[]}` {
		t.Errorf("an empty list is %s", w.Body)
	}
	if ask(s, "POST", "/v1/stop", strings.NewReader("{}")); !f.stopped {
		t.Error("stop did not stop the node")
	}
}

func TestWhoAmI(t *testing.T) {
	s := start(t, &fake{})
	challenge := strings.Repeat("0a", api.ChallengeSize)
	want, err := api.Prove(s.Token(), s.Address(), challenge)
	if err != nil {
		t.Fatal(err)
	}
	w := ask(s, "GET", api.WhoAmIPath+"?challenge="+challenge, nil, func(r *http.Request) { r.Header.Del("Authorization") })
	if w.Code != 200 || !strings.Contains(w.Body.String(), want) {
		t.Errorf("whoami = %d %s, want %s", w.Code, w.Body, want)
	}
	for _, bad := range []string{"", "0a", strings.ToUpper(challenge), challenge + "0a", strings.Repeat("zz", api.ChallengeSize)} {
		if w := ask(s, "GET", api.WhoAmIPath+"?challenge="+bad, nil); w.Code != 400 {
			t.Errorf("whoami of challenge %q = %d", bad, w.Code)
		}
	}
	if other, _ := api.Prove(s.Token(), "127.0.0.1:1", challenge); other == want {
		t.Error("the proof does not hold the address")
	}
}

func TestListen(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", "[::]:0", "192.0.2.1:0", "localhost:0", ":0", ""} {
		if l, err := Listen(address); err == nil {
			_ = l.Close()
			t.Errorf("Listen(%q) took an address that is not loopback", address)
		}
	}
}

// TestDecode: a body says one thing, whoever reads it.
func TestDecode(t *testing.T) {
	var got api.AppendRequest
	f := &fake{appended: func(_ context.Context, r api.AppendRequest) (*api.Receipt, error) {
		got = r
		return &api.Receipt{Sequence: 1}, nil
	}}
	s := start(t, f)
	for _, c := range []struct{ name, body, want string }{
		{"good", `{"log":"events","payload":"eA==","expect":0,"also":["a"]}`, ""},
		{"no payload", `{"log":"events","payload":null}`, ""},
		{"empty payload", `{"log":"events","payload":""}`, ""},
		{"doubled key", `{"log":"events","log":"other"}`, "/log: it stands twice"},
		{"doubled key in another case", `{"log":"events","Log":"other"}`, "/Log: no such field"},
		{"key in another case", `{"LOG":"events"}`, "/LOG: no such field"},
		{"unknown key", `{"log":"events","colour":1}`, "/colour: no such field"},
		{"base64 with loose bits", `{"log":"events","payload":"eB=="}`, "/payload: not base64"},
		{"base64 without padding", `{"log":"events","payload":"eA"}`, "/payload: not base64"},
		{"base64 with a line end", `{"log":"events","payload":"e\nA=="}`, "/payload: not base64"},
		{"base64 for URLs", `{"log":"events","payload":"__8="}`, "/payload: not base64"},
		{"bytes as numbers", `{"log":"events","payload":[120]}`, "/payload: not base64"},
		{"wrong type", `{"log":7}`, "/log: it has the wrong type"},
		{"number out of range", `{"log":"events","expect":4294967296}`, "/expect: it has the wrong type or is out of range"},
		{"fraction", `{"log":"events","timeout_ms":1.5}`, "/timeout_ms: it has"},
		{"text that is no UTF-8", "{\"log\":\"\xff\"}", "UTF-8"},
		{"something after", `{"log":"events"}{}`, "after top-level"},
		{"broken off", `{"log":`, "JSON"},
		{"empty", ``, "JSON"},
		{"long key", `{"` + strings.Repeat("k", 1000) + `":1}`, "…"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := ask(s, "POST", "/v1/logs/append", strings.NewReader(c.body))
			if c.want == "" {
				if w.Code != 200 || got.Log != "events" {
					t.Errorf("status %d, request %+v: %s", w.Code, got, w.Body)
				}
				return
			}
			if w.Code != 400 || !strings.Contains(w.Body.String(), c.want) || strings.Contains(w.Body.String(), "Go ") || w.Body.Len() > 300 {
				t.Errorf("status %d, %s, want 400 with %q", w.Code, w.Body, c.want)
			}
		})
	}
	for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded"} {
		w := ask(s, "POST", "/v1/logs/append", strings.NewReader(`{"log":"events"}`), func(r *http.Request) { r.Header.Set("Content-Type", kind) })
		if w.Code != 400 {
			t.Errorf("content type %q: status %d", kind, w.Code)
		}
	}
}

// TestBodySize: each endpoint takes a body of its limit and no byte more.
func TestBodySize(t *testing.T) {
	got := 0
	f := &fake{
		appended: func(_ context.Context, r api.AppendRequest) (*api.Receipt, error) {
			got = len(r.Log)
			return &api.Receipt{}, nil
		},
		deploy: func(_ context.Context, r api.DeployRequest) (*api.Function, error) {
			got = len(r.Name)
			return &api.Function{}, nil
		},
		call: func(_ context.Context, r api.CallRequest) (*api.CallResult, error) {
			got = len(r.Path)
			return &api.CallResult{}, nil
		},
		tail: func(_ context.Context, r api.ReadRequest, to Listener) error { got = len(r.Log); return to.Idle() },
		claim: func(_ context.Context, r api.ClaimRequest, step func(int, int, string)) (*api.ClaimResult, error) {
			got = len(r.Name)
			step(1, 1, "")
			return &api.ClaimResult{}, nil
		},
	}
	s := start(t, f)
	for _, c := range []struct {
		path, key string
		limit     int
	}{
		{"/v1/logs/append", "log", maxSmallBody},
		{"/v1/call", "path", maxSmallBody},
		{"/v1/logs/tail", "log", maxSmallBody},
		{"/v1/devices/claim", "name", maxSmallBody},
		{"/v1/functions/deploy", "name", api.MaxBody},
	} {
		frame := len(`{"":""}`) + len(c.key)
		text := func(n int) string { return `{"` + c.key + `":"` + strings.Repeat("a", n-frame) + `"}` }
		if w := ask(s, "POST", c.path, strings.NewReader(text(c.limit))); w.Code != 200 || got != c.limit-frame {
			t.Errorf("%s with %d bytes: status %d: %.100s", c.path, c.limit, w.Code, w.Body)
		}
		got = 0
		w := ask(s, "POST", c.path, strings.NewReader(text(c.limit+1)))
		if w.Code != 400 || got != 0 || !strings.Contains(w.Body.String(), strconv.Itoa(c.limit)) {
			t.Errorf("%s with %d bytes: status %d: %.100s", c.path, c.limit+1, w.Code, w.Body)
		}
		// Whatever the header says of the length: it is the bytes that count.
		endless := io.MultiReader(strings.NewReader(`{"`+c.key+`":"`), &repeated{left: 64 << 20})
		w = ask(s, "POST", c.path, endless, func(r *http.Request) { r.ContentLength = -1 })
		if w.Code != 400 || got != 0 {
			t.Errorf("%s without end: status %d", c.path, w.Code)
		}
	}
	// All other endpoints with a body have the small limit.
	for _, path := range []string{
		"/v1/stop", "/v1/devices/remove", "/v1/devices/rename", "/v1/services/forget", "/v1/ping", "/v1/revocations", "/v1/revocations/allow",
		"/v1/reserve", "/v1/logs/read", "/v1/functions/pause", "/v1/functions/resume", "/v1/functions/skip", "/v1/functions/remove",
	} {
		w := ask(s, "POST", path, &repeated{left: maxSmallBody + 1})
		if w.Code != 400 || !strings.Contains(w.Body.String(), "larger than") {
			t.Errorf("%s with %d bytes: status %d: %s", path, maxSmallBody+1, w.Code, w.Body)
		}
	}
}

// repeated reads as that many letters.
type repeated struct{ left int }

func (r *repeated) Read(b []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := min(len(b), r.left)
	for i := range b[:n] {
		b[i] = 'a'
	}
	r.left -= n
	return n, nil
}

// TestRequestsUnderWay: one more than the limit is refused, and there is room again after one is done.
func TestRequestsUnderWay(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	f := &fake{call: func(context.Context, api.CallRequest) (*api.CallResult, error) {
		entered <- struct{}{}
		<-leave
		return &api.CallResult{}, nil
	}}
	s := start(t, f)
	var wg sync.WaitGroup
	for range maxRequests {
		wg.Go(func() { ask(s, "POST", "/v1/call", strings.NewReader(`{}`)) })
		<-entered
	}
	if w := ask(s, "GET", "/v1/status", nil); w.Code != 503 || w.Header().Get("Retry-After") != "1" {
		t.Errorf("request %d: status %d, Retry-After %q", maxRequests+1, w.Code, w.Header().Get("Retry-After"))
	}
	if w := ask(s, "GET", "/healthz", nil); w.Code != 200 {
		t.Errorf("health of a busy node: %d", w.Code)
	}
	close(leave)
	wg.Wait()
	if w := ask(s, "GET", "/v1/status", nil); w.Code != 200 {
		t.Errorf("after the rush: status %d", w.Code)
	}
}

// TestTime: a request has the time that it asks for, at most the limit, and the default else.
func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for body, want := range map[string]time.Duration{
			`{}`:                                 defaultTimeout,
			`{"timeout_ms":0}`:                   defaultTimeout,
			`{"timeout_ms":-5}`:                  defaultTimeout,
			`{"timeout_ms":1500}`:                1500 * time.Millisecond,
			`{"timeout_ms":600000}`:              maxTimeout,
			`{"timeout_ms":600001}`:              maxTimeout,
			`{"timeout_ms":9223372036854775807}`: maxTimeout,
		} {
			s := &Server{errorOf: plainError, log: slog.New(slog.DiscardHandler)}
			var took time.Duration
			h := body_(s, func(ctx context.Context, _ api.CallRequest) (*api.CallResult, error) {
				begin := time.Now()
				<-ctx.Done()
				took = time.Since(begin)
				return nil, api.Errorf(api.Timeout, "%v", ctx.Err())
			})
			r := httptest.NewRequest("POST", "/v1/call", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			h(w, r)
			if took != want || w.Code != 504 {
				t.Errorf("%s: the node had %v, want %v; status %d", body, took, want, w.Code)
			}
		}
	})
}

func body_(s *Server, f func(context.Context, api.CallRequest) (*api.CallResult, error)) http.HandlerFunc {
	return body(s, maxSmallBody, f)
}

// TestStream: lines come at once, an error after the first is the last line, a claim outlives its asker.
func TestStream(t *testing.T) {
	claims := make(chan error, 1)
	first := make(chan struct{})
	f := &fake{
		tail: func(_ context.Context, _ api.ReadRequest, to Listener) error {
			return errors.Join(to.Source(api.Source{By: "device"}), to.Idle(), to.Entry(api.Entry{Sequence: 7}), errFake)
		},
		claim: func(ctx context.Context, _ api.ClaimRequest, step func(int, int, string)) (*api.ClaimResult, error) {
			step(1, 5, "link ok")
			<-first
			claims <- ctx.Err()
			return nil, errFake
		},
	}
	s := start(t, f)
	w := ask(s, "POST", "/v1/logs/tail", strings.NewReader(`{}`))
	lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
	if w.Code != 200 || len(lines) != 4 || !strings.Contains(lines[0], `"source"`) || lines[1] != "" || !strings.Contains(lines[3], `{"error":{"code":"not_found"`) {
		t.Errorf("tail = %d %q", w.Code, lines)
	}
	if w := ask(s, "POST", "/v1/logs/tail", strings.NewReader(`{"nothing":1}`)); w.Code != 400 {
		t.Errorf("a tail that asks for nothing known = %d", w.Code)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the asker is gone
	go ask(s, "POST", "/v1/devices/claim", strings.NewReader(`{}`), func(r *http.Request) { *r = *r.WithContext(ctx) })
	close(first)
	if err := <-claims; err != nil {
		t.Errorf("the claim ended with its asker: %v", err)
	}
}

// TestSpecNumbers holds docs/spec/api.md and the limits together.
func TestSpecNumbers(t *testing.T) {
	raw, err := os.ReadFile("../../docs/spec/api.md")
	if err != nil {
		t.Fatal(err)
	}
	page := strings.Join(strings.Fields(string(raw)), " ")
	for _, c := range []struct {
		pattern string
		unit    int64
		want    int64
	}{
		{`at most (\d+) KiB \(` + "`functions/deploy`", 1 << 10, maxSmallBody},
		{"`functions/deploy`: (\\d+) MiB; else 400", 1 << 20, api.MaxBody},
		{`header has at most (\d+) KiB`, 1 << 10, maxHeader},
		{`At most (\d+) requests are under way`, 1, maxRequests},
		{"`timeout_ms` \\(at most ([\\d,]+)\\)", 1, maxTimeout.Milliseconds()},
		{`by default (\d+) s`, 1000, defaultTimeout.Milliseconds()},
		{`A header must arrive within (\d+) s`, 1000, headerTimeout.Milliseconds()},
		{`a body within (\d+) s`, 1000, bodyTimeout.Milliseconds()},
		{`each line of one within (\d+) s`, 1000, writeTimeout.Milliseconds()},
		{`closed after (\d+) s without a request`, 1000, idleTimeout.Milliseconds()},
		{`challenge=(\d+) hex digits`, 1, 2 * api.ChallengeSize},
	} {
		m := regexp.MustCompile(c.pattern).FindStringSubmatch(page)
		if m == nil {
			t.Errorf("api.md has nothing like %q", c.pattern)
			continue
		}
		n, err := strconv.ParseInt(strings.ReplaceAll(m[1], ",", ""), 10, 64)
		if err != nil || n*c.unit != c.want {
			t.Errorf("api.md says %q, the code %d", m[0], c.want)
		}
	}
}

// TestSlowHeader: who opens a connection and says nothing is dropped.
func TestSlowHeader(t *testing.T) {
	s := start(t, &fake{})
	if h := s.server; h.ReadHeaderTimeout != headerTimeout || h.ReadTimeout != bodyTimeout || h.IdleTimeout != idleTimeout || h.MaxHeaderBytes != maxHeader {
		t.Errorf("the server's limits are %v %v %v %d", h.ReadHeaderTimeout, h.ReadTimeout, h.IdleTimeout, h.MaxHeaderBytes)
	}
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+s.Address()+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Long", strings.Repeat("a", 4*maxHeader))
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a header of %d bytes: status %d", 4*maxHeader, resp.StatusCode)
	}
}
