package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/internal/atomicfile"
)

// OwnName is the name by which every node calls its own service.
const OwnName = "node"

// Names holds the local names of services: names/NAME. The node's own service has the name OwnName besides.
type Names struct {
	folder
	keys *Keys
}

// Save gives a service a local name. A name that stands for another service is refused.
func (s *Names) Save(name string, id edgeistry.ServiceID) error {
	if err := edgeistry.CheckName(name); err != nil {
		return err
	}
	if name == OwnName {
		return fmt.Errorf("name %q is the node's own service; choose another", OwnName)
	}
	old, err := s.Get(name)
	switch {
	case err == nil && old == id:
		return nil
	case err == nil:
		return fmt.Errorf("name %q already stands for %s; choose another", name, old)
	case !errors.Is(err, ErrNotFound):
		return err
	}
	if err := atomicfile.Write(s.path("names", name), []byte(id.String()+"\n"), atomicfile.Secret); err != nil {
		return fmt.Errorf("keep name %q: %w", name, err)
	}
	return nil
}

// Remove deletes a local name; one that is not there is no error.
func (s *Names) Remove(name string) error {
	if err := edgeistry.CheckName(name); err != nil {
		return err
	}
	return atomicfile.Remove(s.path("names", name))
}

// Get returns the service that a local name stands for.
func (s *Names) Get(name string) (edgeistry.ServiceID, error) {
	if err := edgeistry.CheckName(name); err != nil {
		return edgeistry.ServiceID{}, err
	}
	if name == OwnName {
		return s.keys.Own().ID, nil
	}
	path := s.path("names", name)
	raw, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return edgeistry.ServiceID{}, fmt.Errorf("service named %q: %w in %s", name, ErrNotFound, s.folder)
	}
	if err != nil {
		return edgeistry.ServiceID{}, fmt.Errorf("service named %q: %w", name, err)
	}
	id, err := edgeistry.ParseServiceID(strings.TrimSpace(string(raw)))
	if err != nil {
		return edgeistry.ServiceID{}, damaged(path, "it holds no service ID")
	}
	return id, nil
}

// Service reads a service ID or a local name.
func (s *Names) Service(nameOrID string) (edgeistry.ServiceID, error) {
	if id, err := edgeistry.ParseServiceID(nameOrID); err == nil {
		return id, nil
	}
	if len(nameOrID) > edgeistry.MaxName {
		return edgeistry.ServiceID{}, fmt.Errorf("%.80q is neither a service ID (k51...) nor a name", nameOrID)
	}
	return s.Get(nameOrID)
}

// All returns all local names. The node's own is among them.
func (s *Names) All() (map[string]edgeistry.ServiceID, error) {
	files, err := listFiles(s.path("names"))
	if err != nil {
		return nil, fmt.Errorf("list names: %w", err)
	}
	out := map[string]edgeistry.ServiceID{OwnName: s.keys.Own().ID}
	var bad error
	for _, f := range files {
		if edgeistry.CheckName(f) != nil || f == OwnName {
			continue
		}
		id, err := s.Get(f)
		if err != nil {
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			bad = errors.Join(bad, err)
			continue
		}
		out[f] = id
	}
	return out, bad
}

// Of returns the first local name of a service in order of the alphabet, or "".
func (s *Names) Of(id edgeistry.ServiceID) string {
	if id == s.keys.Own().ID {
		return OwnName
	}
	names, _ := s.All()
	best := ""
	for name, other := range names {
		if other == id && (best == "" || name < best) {
			best = name
		}
	}
	return best
}
