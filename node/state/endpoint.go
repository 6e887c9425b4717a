package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"

	"github.com/edgeistry/edgeistry/internal/atomicfile"
)

// Endpoint says where the running node's HTTP API is, and the token it asks for. It is the file api. It names the state directory
// that it belongs to, because the file of a running node may be copied with its directory.
type Endpoint struct {
	Address string `json:"address"` // 127.0.0.1:7780
	Token   string `json:"token"`
	PID     int    `json:"pid"`
	State   string `json:"state"` // absolute path of the node's state directory; SaveEndpoint sets it
}

// String hides the token.
func (e Endpoint) String() string { return "api at " + e.Address }

// Format keeps every verb of fmt from printing the token.
func (e Endpoint) Format(s fmt.State, _ rune) { fmt.Fprint(s, e.String()) }

// EndpointFile is the file api.
type EndpointFile struct{ folder }

// Save replaces the file api.
func (s *EndpointFile) Save(e Endpoint) error {
	e.State = string(s.folder)
	data, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("save endpoint: %w", err)
	}
	return atomicfile.Write(s.path("api"), append(data, '\n'), atomicfile.Secret)
}

// Remove deletes the file api: when the node stops, and when it starts, because a node that was killed leaves its own.
func (s *EndpointFile) Remove() error { return atomicfile.Remove(s.path("api")) }

// Get reads the file api. ErrNotFound: no node runs here, or it has not started its API.
func (s *EndpointFile) Get() (Endpoint, error) {
	path := s.path("api")
	raw, err := readSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Endpoint{}, fmt.Errorf("node's API of %s: %w: no node runs here; to do: edgeistry run", s.folder, ErrNotFound)
	}
	if err != nil {
		return Endpoint{}, err
	}
	var e Endpoint
	if err := json.Unmarshal(raw, &e); err != nil {
		return Endpoint{}, &FileError{Path: path, Problem: "it is not what a node writes", Action: "start the node again"}
	}
	addr, err := netip.ParseAddrPort(e.Address)
	if err != nil || !addr.Addr().IsLoopback() || e.Token == "" {
		return Endpoint{}, &FileError{Path: path, Problem: "it names no loopback address and token", Action: "start the node again"}
	}
	if !sameDir(e.State, string(s.folder)) {
		return Endpoint{}, fmt.Errorf("no node runs on %s: its file api %w (%.200q), which was copied while it ran; to do: use --home %.200q, or start a node here",
			s.folder, ErrForeign, e.State, e.State)
	}
	return e, nil
}

// sameDir reports whether two paths name one directory, by whatever links they lead there.
func sameDir(a, b string) bool {
	if a == b {
		return true
	}
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
