package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

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

// blank writes an empty line, which readers skip: it shows whether the other side is still there.
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
func stream[In any](s *Server, f func(context.Context, In, *lines) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		if err := decode(w, r, maxSmallBody, &in); err != nil {
			s.writeError(w, err)
			return
		}
		// The body is read: the server's read timeout must not end a stream that only writes.
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
		l := &lines{w: w}
		err := f(r.Context(), in, l)
		switch {
		case err == nil || r.Context().Err() != nil:
		case l.open:
			_ = l.send(map[string]any{"error": s.errorOf(err)})
		default:
			s.writeError(w, err)
		}
	}
}
