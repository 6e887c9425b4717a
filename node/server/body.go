package server

import (
	"context"
	stdjson "encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/edgeistry/edgeistry/node/api"
)

// result makes a handler for a request without a body.
func result(s *Server, f func(context.Context, *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), defaultTimeout)
		defer cancel()
		out, err := f(ctx, r)
		if err != nil {
			s.writeError(w, err)
			return
		}
		writeJSON(w, http.StatusOK, out)
	}
}

// list makes a handler that answers with a list under key. An empty list is an empty JSON array.
func list[T any](s *Server, key string, f func(context.Context, *http.Request) ([]T, error)) http.HandlerFunc {
	return result(s, func(ctx context.Context, r *http.Request) (any, error) {
		out, err := f(ctx, r)
		if out == nil {
			out = []T{}
		}
		return map[string]any{key: out}, err
	})
}

// body makes a handler for a request with a JSON body of at most limit bytes.
func body[In, Out any](s *Server, limit int64, f func(context.Context, In) (*Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		if err := decode(w, r, limit, &in); err != nil {
			s.writeError(w, err)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), timeoutOf(in))
		defer cancel()
		out, err := f(ctx, in)
		if err != nil {
			s.writeError(w, err)
			return
		}
		writeJSON(w, http.StatusOK, out)
	}
}

// timeoutOf returns the bound that a request asks for, within limits.
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
	return time.Duration(min(int64(ms), maxTimeout.Milliseconds())) * time.Millisecond
}

// decode reads a JSON body of at most limit bytes into a pointer to a struct. The decoder is stricter than encoding/json: names
// match in their exact case, none stands twice, none is unknown, text is UTF-8, base64 is canonical, and nothing follows the value.
// What one reader takes in one way and another in another way would be a request that says two things.
func decode(w http.ResponseWriter, r *http.Request, limit int64, into any) error {
	if t, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(t) != "application/json" {
		return api.Errorf(api.Usage, "the body must be application/json")
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return api.Errorf(api.Usage, "the request is larger than %d bytes", limit)
	case err != nil:
		return api.Errorf(api.Usage, "the body could not be read: %v", err)
	}
	err = json.Unmarshal(raw, into, json.RejectUnknownMembers(true), json.WithUnmarshalers(strictBase64))
	if err != nil {
		return api.Errorf(api.Usage, "the body is not the JSON this endpoint takes: %s", problem(err))
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	raw, err := stdjson.Marshal(v)
	if err != nil {
		status, raw = http.StatusInternalServerError, []byte(`{"error":{"code":"failed","message":"the answer cannot be encoded"}}`)
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(raw, '\n')) // a caller that has gone needs no answer
}

func (s *Server) writeError(w http.ResponseWriter, err error) {
	e := s.errorOf(err)
	writeJSON(w, e.Kind.Status(), map[string]any{"error": e})
}
