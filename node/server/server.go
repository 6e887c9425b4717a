package node

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/edgeistry/edgeistry/node/api"
)

// Limits of the HTTP API.
const (
	maxRequests    = 256             // under way at once, streams included
	maxSmallBody   = 256 << 10       // bytes of a request that carries no module
	headerTimeout  = 5 * time.Second // to read a request's header
	bodyTimeout    = 30 * time.Second
	idleTimeout    = 60 * time.Second
	writeTimeout   = 30 * time.Second // for one answer, or one line of a stream
	maxTimeout     = 10 * time.Minute // that a request may ask for
	defaultTimeout = 30 * time.Second
)

// httpServer is the HTTP API: it lets in who has the token and comes over loopback, decodes, calls a method of Node and encodes.
type httpServer struct {
	node     *Node
	log      *slog.Logger
	token    string
	hash     [sha256.Size]byte // of the token
	listener net.Listener
	server   *http.Server
	busy     atomic.Int64
	done     chan struct{}
}

// listenHTTP opens the API's socket, on a loopback address and nowhere else.
func listenHTTP(address string) (net.Listener, error) {
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

// serveHTTP starts the API on l. Requests end with ctx.
func serveHTTP(ctx context.Context, n *Node, l net.Listener, log *slog.Logger) (*httpServer, error) {
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return nil, fmt.Errorf("make the API's token: %w", err)
	}
	s := &httpServer{node: n, log: log, token: hex.EncodeToString(secret), listener: l, done: make(chan struct{})}
	s.hash = sha256.Sum256([]byte(s.token))
	s.server = &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       bodyTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	go func() {
		defer close(s.done)
		if err := s.server.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			log.Error("the API ended", "error", err)
		}
	}()
	return s, nil
}

// address gives HOST:PORT of the API.
func (s *httpServer) address() string { return s.listener.Addr().String() }

// close lets requests under way finish until ctx ends, then cuts them off.
func (s *httpServer) close(ctx context.Context) error {
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = s.server.Close()
	}
	<-s.done
	return err
}

func (s *httpServer) handler() http.Handler {
	n := s.node
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", result(func(ctx context.Context, _ *http.Request) (any, error) { return n.Status(ctx) }))
	mux.HandleFunc("GET /v1/devices", result(func(ctx context.Context, _ *http.Request) (any, error) {
		d, err := n.Devices(ctx)
		return map[string]any{"devices": notNil(d)}, err
	}))
	mux.HandleFunc("GET /v1/services", result(func(ctx context.Context, _ *http.Request) (any, error) {
		v, err := n.Services(ctx)
		return map[string]any{"services": notNil(v)}, err
	}))
	mux.HandleFunc("GET /v1/services/{id}/resolve", result(func(ctx context.Context, r *http.Request) (any, error) {
		return n.Resolve(ctx, r.PathValue("id"))
	}))
	mux.HandleFunc("GET /v1/services/{id}/show", result(func(ctx context.Context, r *http.Request) (any, error) {
		return n.Show(ctx, r.PathValue("id"))
	}))
	mux.HandleFunc("GET /v1/functions", result(func(ctx context.Context, _ *http.Request) (any, error) {
		f, err := n.Functions(ctx)
		return map[string]any{"functions": notNil(f)}, err
	}))
	mux.HandleFunc("GET /v1/revocations", result(func(ctx context.Context, r *http.Request) (any, error) {
		v, err := n.Revocations(ctx, r.URL.Query().Get("service"))
		return map[string]any{"revocations": notNil(v)}, err
	}))
	mux.HandleFunc("POST /v1/revocations", body(maxSmallBody, n.Revoke))
	mux.HandleFunc("POST /v1/revocations/allow", body(maxSmallBody, n.Allow))
	mux.HandleFunc("POST /v1/call", body(maxSmallBody, n.Call))
	mux.HandleFunc("POST /v1/reserve", body(maxSmallBody, n.Reserve))
	mux.HandleFunc("POST /v1/ping", body(maxSmallBody, n.Ping))
	mux.HandleFunc("POST /v1/logs/append", body(maxSmallBody, n.Append))
	mux.HandleFunc("POST /v1/logs/read", body(maxSmallBody, n.Read))
	mux.HandleFunc("POST /v1/logs/tail", stream(n.tailLines))
	mux.HandleFunc("POST /v1/devices/claim", stream(n.claimLines))
	mux.HandleFunc("POST /v1/devices/remove", body(maxSmallBody, n.RemoveDevice))
	mux.HandleFunc("POST /v1/devices/rename", body(maxSmallBody, n.RenameDevice))
	mux.HandleFunc("POST /v1/services/forget", body(maxSmallBody, n.ForgetService))
	mux.HandleFunc("POST /v1/functions/deploy", body(api.MaxBody, n.Deploy))
	for _, action := range []string{"pause", "resume", "skip", "remove"} {
		mux.HandleFunc("POST /v1/functions/"+action, body(maxSmallBody, func(ctx context.Context, r api.FunctionRequest) (*api.Function, error) {
			return n.ChangeFunction(ctx, action, r)
		}))
	}
	mux.HandleFunc("POST /v1/stop", body(maxSmallBody, func(context.Context, struct{}) (*struct{}, error) {
		n.RequestStop()
		return &struct{}{}, nil
	}))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, api.Errorf(api.NotFound, "the API has no %s %s", r.Method, r.URL.Path))
	})
	return s.guard(mux)
}

// guard lets a request through that is addressed to this machine by a loopback name (a web page that points its own name at
// 127.0.0.1 is not), comes from no web page, has the token, and finds room.
func (s *httpServer) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		if !loopbackHost(r.Host) || r.Header.Get("Origin") != "" {
			writeError(w, api.Errorf(api.Denied, "the API answers to programs on this machine only"))
			return
		}
		switch r.URL.Path {
		case "/healthz":
			writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
			return
		case "/readyz":
			why := s.node.NotReady()
			if r.URL.Query().Has("mesh") {
				why = s.node.NotInMesh()
			}
			if why != "" {
				writeJSON(w, http.StatusServiceUnavailable, map[string]any{"error": api.Errorf(api.Failed, "not ready: %s", why)})
				return
			}
			writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
			return
		}
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		got := sha256.Sum256([]byte(token))
		if !ok || subtle.ConstantTimeCompare(got[:], s.hash[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			writeJSON(w, http.StatusUnauthorized, map[string]any{"error": &api.Error{Kind: api.Denied, Message: "wrong or missing token", Action: "use the token in the file api of the node's home"}})
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

// recover keeps one request's fault from ending the node.
func (s *httpServer) recover(w http.ResponseWriter) {
	if v := recover(); v != nil {
		s.log.Error("a request of the API panicked", "panic", v)
		writeError(w, api.Errorf(api.Failed, "internal fault; see the node's log"))
	}
}

// loopbackHost says whether a Host header names this machine as only itself can.
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

// result makes a handler for a request without a body.
func result(f func(context.Context, *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), defaultTimeout)
		defer cancel()
		out, err := f(ctx, r)
		if err != nil {
			writeError(w, err)
			return
		}
		writeJSON(w, http.StatusOK, out)
	}
}

// body makes a handler for a request with a JSON body of at most limit bytes.
func body[In, Out any](limit int64, f func(context.Context, In) (*Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		if err := decode(w, r, limit, &in); err != nil {
			writeError(w, err)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), timeoutOf(in))
		defer cancel()
		out, err := f(ctx, in)
		if err != nil {
			writeError(w, err)
			return
		}
		writeJSON(w, http.StatusOK, out)
	}
}

// timeoutOf gives the bound that a request asks for, within limits.
func timeoutOf(in any) time.Duration {
	ms := 0
	switch r := in.(type) {
	case api.CallRequest:
		ms = r.TimeoutMS
	case api.AppendRequest:
		ms = r.TimeoutMS
	case api.ReadRequest:
		ms = r.TimeoutMS
	}
	if ms <= 0 {
		return defaultTimeout
	}
	return min(time.Duration(ms)*time.Millisecond, maxTimeout)
}

// lines writes an NDJSON answer. Its first line sends the header.
type lines struct {
	w    http.ResponseWriter
	open bool
}

// send writes one line and flushes it.
func (l *lines) send(v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return l.write(append(raw, '\n'))
}

// blank writes an empty line, which readers pass over: it shows whether the other side is still there.
func (l *lines) blank() error { return l.write([]byte{'\n'}) }

func (l *lines) write(raw []byte) error {
	if !l.open {
		l.w.Header().Set("Content-Type", "application/x-ndjson")
		l.open = true
	}
	c := http.NewResponseController(l.w)
	if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := l.w.Write(raw); err != nil {
		return err
	}
	return c.Flush()
}

// stream makes a handler for a request that is answered in lines. An error before the first line has its status; one after it is
// the last line.
func stream[In any](f func(context.Context, In, *lines) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		if err := decode(w, r, maxSmallBody, &in); err != nil {
			writeError(w, err)
			return
		}
		// The body is read: the server's read timeout must not end a stream that only writes.
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
		l := &lines{w: w}
		err := f(r.Context(), in, l)
		switch {
		case err == nil || r.Context().Err() != nil:
		case l.open:
			_ = l.send(map[string]any{"error": asAPIError(err)})
		default:
			writeError(w, err)
		}
	}
}

// decode reads a JSON body: of the right type, within limit, with no unknown field and nothing after it.
func decode(w http.ResponseWriter, r *http.Request, limit int64, into any) error {
	if t, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(t) != "application/json" {
		return api.Errorf(api.Usage, "the body must be application/json")
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, limit))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return api.Errorf(api.Usage, "the request is larger than %d bytes", limit)
		}
		return api.Errorf(api.Usage, "the body is not the JSON this endpoint takes: %v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return api.Errorf(api.Usage, "the body has something after its JSON value")
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		status, raw = http.StatusInternalServerError, []byte(`{"error":{"code":"failed","message":"the answer cannot be encoded"}}`)
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(raw, '\n')) // a caller that has gone needs no answer
}

func writeError(w http.ResponseWriter, err error) {
	e := asAPIError(err)
	writeJSON(w, e.Kind.Status(), map[string]any{"error": e})
}

// notNil makes an empty list an empty JSON array.
func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
