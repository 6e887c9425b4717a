package server

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/edgeistry/edgeistry/node/api"
)

// Limits of the HTTP API. docs/spec/api.md has the same numbers.
const (
	maxRequests    = 256             // under way at once, streams included
	maxSmallBody   = 256 << 10       // bytes of a request that carries no module
	maxHeader      = 16 << 10        // bytes of a request's header
	headerTimeout  = 5 * time.Second // to read a request's header
	bodyTimeout    = 30 * time.Second
	idleTimeout    = 60 * time.Second // of a connection between requests
	writeTimeout   = 30 * time.Second // for one answer, or one line of a stream
	maxTimeout     = 10 * time.Minute // that a request may ask for
	defaultTimeout = 30 * time.Second
)

// Config is what a Server may be given.
type Config struct {
	Logger *slog.Logger // nil: slog.Default()
	// ErrorOf returns the API's form of an error of Node. nil: an error that is no *api.Error is api.Failed.
	ErrorOf func(error) *api.Error
}

// Server serves the HTTP API on a loopback address. It checks the bearer token, decodes the request, calls one method of the node
// and encodes the result.
type Server struct {
	ctx      context.Context // requests end with it
	log      *slog.Logger
	errorOf  func(error) *api.Error
	token    string
	hash     [sha256.Size]byte // of the token
	listener net.Listener
	server   *http.Server
	busy     atomic.Int64
	done     chan struct{}
}

// Listen opens the API's socket, on a loopback address and nowhere else.
func Listen(address string) (net.Listener, error) {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("api_listen %q is not ADDRESS:PORT", address)
	}
	if !ap.Addr().IsLoopback() {
		return nil, fmt.Errorf("api_listen %s is not a loopback address", address)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("open the API: %w; choose another api_listen in config.yaml", err)
	}
	return l, nil
}

// New serves the API of n on l, with a fresh token. Requests end with ctx. Close ends the server and closes l.
func New(ctx context.Context, n Node, l net.Listener, cfg Config) (*Server, error) {
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return nil, fmt.Errorf("make the API's token: %w", err)
	}
	s := &Server{
		ctx: ctx, log: cfg.Logger, errorOf: cfg.ErrorOf, token: hex.EncodeToString(secret), listener: l, done: make(chan struct{}),
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.errorOf == nil {
		s.errorOf = plainError
	}
	s.hash = sha256.Sum256([]byte(s.token))
	s.server = &http.Server{
		Handler:           s.handler(n),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       bodyTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	go func() {
		defer close(s.done)
		if err := s.server.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("the API ended", "error", err)
		}
	}()
	return s, nil
}

// plainError returns the API's form of an error without knowledge of its cause.
func plainError(err error) *api.Error {
	var e *api.Error
	if errors.As(err, &e) {
		return e
	}
	return api.Errorf(api.Failed, "%v", err)
}

// Address returns HOST:PORT of the API.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Token returns the bearer token that requests must carry.
func (s *Server) Token() string { return s.token }

// Close lets requests under way finish until ctx ends, then cuts them off. It may be called twice.
func (s *Server) Close(ctx context.Context) error {
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = s.server.Close()
	}
	<-s.done
	return err
}

// guard lets a request through that is addressed to this machine by a loopback name (a web page that points its own name at
// 127.0.0.1 is not) and comes from no web page. Health, readiness and the proof that this server knows the token need no token; for
// the rest see admit.
func (s *Server) guard(n Readiness, next http.Handler) http.Handler {
	proving := api.Proving(s.token, s.Address(), s.admit(next))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		if !loopbackHost(r.Host) || r.Header.Get("Origin") != "" {
			s.writeError(w, api.Errorf(api.Denied, "the API answers to programs on this machine only"))
			return
		}
		switch r.URL.Path {
		case "/healthz":
			writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
			return
		case "/readyz":
			ready(w, r, n)
			return
		}
		proving.ServeHTTP(w, r)
	})
}

// admit lets a request through that has the token and finds room.
func (s *Server) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		got := sha256.Sum256([]byte(token))
		if !ok || subtle.ConstantTimeCompare(got[:], s.hash[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			writeJSON(w, http.StatusUnauthorized, map[string]any{"error": &api.Error{
				Kind: api.Denied, Message: "wrong or missing token", Action: "use the token in the file api of the node's state directory",
			}})
			return
		}
		if s.busy.Add(1) > maxRequests {
			s.busy.Add(-1)
			w.Header().Set("Retry-After", "1")
			writeJSON(w, http.StatusServiceUnavailable, map[string]any{"error": api.Errorf(api.Failed, "%d requests are under way; try again", maxRequests)})
			return
		}
		defer s.busy.Add(-1)
		defer s.recover(w)
		next.ServeHTTP(w, r)
	})
}

// ready answers /readyz.
func ready(w http.ResponseWriter, r *http.Request, n Readiness) {
	why := n.NotReady()
	if r.URL.Query().Has("mesh") {
		why = n.NotInMesh()
	}
	if why != "" {
		writeJSON(w, http.StatusServiceUnavailable, map[string]any{"error": api.Errorf(api.Failed, "not ready: %s", why)})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
}

// recover keeps one request's fault from ending the node.
func (s *Server) recover(w http.ResponseWriter) {
	if v := recover(); v != nil {
		s.log.Error("a request of the API panicked", "panic", v)
		s.writeError(w, api.Errorf(api.Failed, "internal fault; see the node's log"))
	}
}

// loopbackHost reports whether a Host header names this machine as only itself can.
func loopbackHost(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	if name == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil && ip.IsLoopback()
}
