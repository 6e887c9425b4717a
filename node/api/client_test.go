package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// testClient talks to a handler that stands in for a node.
func testClient(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.Config.Handler = Proving("token", s.Listener.Addr().String(), h)
	s.Start()
	t.Cleanup(s.Close)
	c := New(strings.TrimPrefix(s.URL, "http://"), "token")
	t.Cleanup(c.Close)
	return c
}

func TestClientErrors(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
		want   Kind
		exit   int
		text   string
	}{
		{"usage", 400, `{"error":{"code":"usage","message":"no"}}`, Usage, 2, "no"},
		{"not found", 404, `{"error":{"code":"not_found","message":"gone","tried":["a","b"],"action":"look"}}`, NotFound, 3, "gone\n  tried a\n  tried b; to do: look"},
		{"denied", 403, `{"error":{"code":"denied","message":"no","denial":{"by":"device","verified":true,"reason":11,"frame":2}}}`, Denied, 4, "no"},
		{"timeout", 504, `{"error":{"code":"timeout","message":"late"}}`, Timeout, 5, "late"},
		{"failed", 500, `{"error":{"code":"failed","message":"broken"}}`, Failed, 1, "broken"},
		{"no node", 200, `<html>`, Failed, 1, "not what this program expects"},
		{"another server", 404, `<html>`, Failed, 1, "not an edgeistry node"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := testClient(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "Bearer token" {
					t.Errorf("request without its token")
				}
				w.WriteHeader(tt.status)
				fmt.Fprint(w, tt.body)
			})
			_, err := c.Status(t.Context())
			if KindOf(err) != tt.want || ExitCode(err) != tt.exit || !strings.Contains(err.Error(), tt.text) || strings.Contains(err.Error(), "token") {
				t.Errorf("Status = %v (kind %s, exit %d), want kind %s, exit %d, %q", err, KindOf(err), ExitCode(err), tt.want, tt.exit, tt.text)
			}
		})
	}
}

func TestClientTimeout(t *testing.T) {
	release := make(chan struct{})
	c := testClient(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Status(ctx); KindOf(err) != Timeout {
		t.Errorf("a node that does not answer: %v, want a timeout", err)
	}
}

func TestClaimLines(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		steps      int
		result     bool
		kind       Kind
	}{
		{"done", `{"step":1,"of":5,"text":"link ok"}` + "\n\n" + `{"step":2,"of":5,"text":"x"}` + "\n" + `{"result":{"service":"k51","capability":"a/owner"}}` + "\n", 2, true, ""},
		{"failed", `{"step":1,"of":5,"text":"link ok"}` + "\n" + `{"error":{"code":"timeout","message":"late"}}` + "\n", 1, false, Timeout},
		{"cut off", `{"step":1,"of":5,"text":"link ok"}` + "\n", 1, false, Failed},
		{"junk", "junk\n", 0, false, Failed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := testClient(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, tt.body) })
			steps := 0
			r, err := c.Claim(t.Context(), ClaimRequest{}, func(ClaimStep) { steps++ })
			if steps != tt.steps || (r != nil) != tt.result || (err != nil && KindOf(err) != tt.kind) || (err == nil) != tt.result {
				t.Errorf("Claim = %+v, %v after %d steps", r, err, steps)
			}
		})
	}
}

func TestTail(t *testing.T) {
	c := testClient(t, func(w http.ResponseWriter, r *http.Request) {
		enc := json.NewEncoder(w)
		for i := range uint32(2) {
			_ = enc.Encode(Entry{Incarnation: 1, Sequence: i + 1, Payload: []byte{byte(i)}})
		}
		fmt.Fprint(w, "\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	err := c.Tail(ctx, ReadRequest{Log: "events"}, nil, func(e Entry) error {
		if n++; int(e.Sequence) != n || e.Payload[0] != byte(n-1) {
			t.Errorf("entry %d = %+v", n, e)
		}
		if n == 2 {
			cancel()
		}
		return nil
	})
	if err != nil || n != 2 {
		t.Errorf("Tail = %v after %d entries", err, n)
	}
	stop := errors.New("enough")
	if err := c.Tail(t.Context(), ReadRequest{}, nil, func(Entry) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Tail = %v, want the callback's error", err)
	}
}

func TestCallResultErr(t *testing.T) {
	for code, want := range map[string]Kind{"2.04": "", "2.05": "", "4.01": Denied, "4.03": Denied, "4.04": NotFound, "5.04": Timeout, "5.03": Failed, "4.00": Failed} {
		r := &CallResult{Code: code, Message: "why", Tagged: true, By: "device", Frame: 2}
		err := r.Err()
		if (err == nil) != (want == "") || (err != nil && KindOf(err) != want) {
			t.Errorf("CallResult %s: %v, want kind %q", code, err, want)
		}
		var e *Error
		if want == Denied && (!errors.As(err, &e) || e.Denial == nil || !e.Denial.Verified || e.Denial.Frame != 2) {
			t.Errorf("CallResult %s: %+v has no denial", code, e)
		}
	}
}

// TestClientChecksTheServer: a program that took the port of a node that is gone never sees the token.
func TestClientChecksTheServer(t *testing.T) {
	const token = "a token that must not leave"
	for name, answer := range map[string]func(w http.ResponseWriter, r *http.Request, address string){
		"says ok":         func(w http.ResponseWriter, _ *http.Request, _ string) { fmt.Fprint(w, `{}`) },
		"is another kind": func(w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(404) },
		"redirects": func(w http.ResponseWriter, r *http.Request, _ string) {
			http.Redirect(w, r, "/v1/status", http.StatusTemporaryRedirect)
		},
		"answers more than it was asked": func(w http.ResponseWriter, _ *http.Request, _ string) { fmt.Fprint(w, strings.Repeat("a", 1<<20)) },
		"passes the challenge on to the node at another port": func(w http.ResponseWriter, r *http.Request, _ string) {
			Proving(token, "127.0.0.1:1", nil).ServeHTTP(w, r)
		},
		"knows another token": func(w http.ResponseWriter, r *http.Request, address string) {
			Proving("another", address, nil).ServeHTTP(w, r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewUnstartedServer(nil)
			address := s.Listener.Addr().String()
			s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "" || r.URL.Path != WhoAmIPath {
					t.Errorf("the stranger was sent %s with %q", r.URL, r.Header.Get("Authorization"))
				}
				answer(w, r, address)
			})
			s.Start()
			defer s.Close()
			c := New(address, token)
			defer c.Close()
			for _, err := range []error{c.Healthy(t.Context()), c.Stop(t.Context())} {
				if !errors.Is(err, ErrStranger) || KindOf(err) != NotFound || !strings.Contains(err.Error(), "another program answers at "+address) {
					t.Errorf("a request to a stranger = %v", err)
				}
			}
		})
	}
}

// TestClientChecksEachConnection: the node may go while the client lives, and its port with it.
func TestClientChecksEachConnection(t *testing.T) {
	real := httptest.NewUnstartedServer(nil)
	address := real.Listener.Addr().String()
	real.Config.Handler = Proving("token", address, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"node":"n"}`) }))
	real.Start()
	c := New(address, "token")
	defer c.Close()
	for range 2 {
		if _, err := c.Status(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	real.Close()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	stranger := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the stranger got the token")
		}
	}))
	_ = stranger.Listener.Close()
	stranger.Listener = l
	stranger.Start()
	defer stranger.Close()
	if _, err := c.Status(t.Context()); !errors.Is(err, ErrStranger) {
		t.Errorf("Status after the port changed hands = %v", err)
	}
}

// TestClientOfASilentListener: what accepts and says nothing is given up, by the caller's time if that is shorter.
func TestClientOfASilentListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := New(l.Addr().String(), "token")
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Status(ctx); KindOf(err) != Timeout {
		t.Errorf("Status = %v, want a timeout", err)
	}
}
