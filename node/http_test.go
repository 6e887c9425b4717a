package node

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/server"
)

// TestHTTPGuard asks the API as programs, strangers and web pages would.
func TestHTTPGuard(t *testing.T) {
	h := testHome(t, nil)
	startNode(t, h)
	e, err := h.API.Get()
	if err != nil {
		t.Fatal(err)
	}
	const appendBody = `{"log":"events","payload":"eA=="}`
	for _, tt := range []struct {
		name, method, path, token, host, origin, kind, body string
		want                                                int
	}{
		{name: "health needs no token", method: "GET", path: "/healthz", want: 200},
		{name: "readiness needs no token", method: "GET", path: "/readyz", want: 200},
		{name: "no token", method: "GET", path: "/v1/status", want: 401},
		{name: "wrong token", method: "GET", path: "/v1/status", token: strings.Repeat("0", 64), want: 401},
		{name: "part of the token", method: "GET", path: "/v1/status", token: e.Token[:63], want: 401},
		{name: "token", method: "GET", path: "/v1/status", token: e.Token, want: 200},
		{name: "localhost", method: "GET", path: "/v1/status", token: e.Token, host: "localhost:80", want: 200},
		{name: "another host's name", method: "GET", path: "/v1/status", token: e.Token, host: "evil.example:7780", want: 403},
		{name: "name that looks like loopback", method: "GET", path: "/v1/status", token: e.Token, host: "127.0.0.1.evil.example", want: 403},
		{name: "health of another host's name", method: "GET", path: "/healthz", host: "evil.example", want: 403},
		{name: "web page", method: "GET", path: "/v1/status", token: e.Token, origin: "http://127.0.0.1", want: 403},
		{name: "unknown path", method: "GET", path: "/v1/nothing", token: e.Token, want: 404},
		{name: "unknown path without a token", method: "GET", path: "/v1/nothing", want: 401},
		{name: "wrong method", method: "GET", path: "/v1/call", token: e.Token, want: 404},
		{name: "append", method: "POST", path: "/v1/logs/append", token: e.Token, kind: "application/json", body: appendBody, want: 200},
		{name: "form", method: "POST", path: "/v1/logs/append", token: e.Token, kind: "text/plain", body: appendBody, want: 400},
		{name: "unknown field", method: "POST", path: "/v1/logs/append", token: e.Token, kind: "application/json", body: `{"log":"events","colour":1}`, want: 400},
		{name: "something after", method: "POST", path: "/v1/logs/append", token: e.Token, kind: "application/json", body: appendBody + "{}", want: 400},
		{name: "no JSON", method: "POST", path: "/v1/logs/append", token: e.Token, kind: "application/json", body: `{"log":`, want: 400},
		{name: "too large", method: "POST", path: "/v1/logs/append", token: e.Token, kind: "application/json", body: `{"log":"` + strings.Repeat("a", 256<<10) + `"}`, want: 400},
		{name: "bad log name", method: "POST", path: "/v1/logs/append", token: e.Token, kind: "application/json", body: `{"log":"../x"}`, want: 400},
		{name: "tail of nothing", method: "POST", path: "/v1/logs/tail", token: e.Token, kind: "application/json", body: `{"log":"nothing"}`, want: 404},
		{name: "bad setup code", method: "POST", path: "/v1/devices/claim", token: e.Token, kind: "application/json", body: `{"setup_code":"x","link":"udp:127.0.0.1:9"}`, want: 400},
		{name: "bad module", method: "POST", path: "/v1/functions/deploy", token: e.Token, kind: "application/json", body: `{"name":"f","module":"AAAA","on":"events","to":"out"}`, want: 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), tt.method, "http://"+e.Address+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if tt.token != "" {
				req.Header.Set("Authorization", "Bearer "+tt.token)
			}
			if tt.kind != "" {
				req.Header.Set("Content-Type", tt.kind)
			}
			if tt.origin != "" {
				req.Header.Set("Origin", tt.origin)
			}
			if tt.host != "" {
				req.Host = tt.host
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			raw, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tt.want {
				t.Errorf("status = %d, want %d: %s", resp.StatusCode, tt.want, raw)
			}
			if resp.StatusCode >= 400 && !strings.Contains(string(raw), `"error":{"code":"`) {
				t.Errorf("answer %s is no error of the API", raw)
			}
			if strings.Contains(string(raw), e.Token) {
				t.Errorf("the answer holds the token")
			}
		})
	}
}

func TestListenHTTP(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", "[::]:0", "192.0.2.1:0", "localhost:0", ":0", ""} {
		if l, err := server.Listen(address); err == nil {
			_ = l.Close()
			t.Errorf("server.Listen(%q) took an address that is not loopback", address)
		}
	}
}

func TestClientWithoutNode(t *testing.T) {
	h := testHome(t, nil)
	if _, err := api.Dial(h); api.KindOf(err) != api.NotFound || api.ExitCode(err) != 3 {
		t.Errorf("Dial without a node = %v", err)
	}
	c := api.New("127.0.0.1:1", "x")
	defer c.Close()
	if _, err := c.Status(t.Context()); api.KindOf(err) != api.NotFound || !strings.Contains(err.Error(), "edgeistry run") {
		t.Errorf("Status of a node that is gone = %v, want what to do", err)
	}
}
