package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/internal/atomicfile"
)

// Keys holds the keys of owned services: service.key, that of the node's own service, and keystore/ID.key. Its methods may be used by many
// goroutines.
type Keys struct {
	folder

	mu  sync.Mutex
	own *ServiceKey
}

// Save stores the key of a service that this node owns, the node's own included. It replaces the key of another epoch of
// the same service.
func (s *Keys) Save(k *ServiceKey) error {
	if k.ID == s.Own().ID {
		return s.saveOwn(*k)
	}
	data, err := k.encode()
	if err != nil {
		return err
	}
	if err := atomicfile.Write(s.path("keystore", k.ID.String()+".key"), data, atomicfile.Secret); err != nil {
		return fmt.Errorf("keep service key: %w", err)
	}
	return nil
}

// Get returns the key of an owned service, the node's own included.
func (s *Keys) Get(id edgeistry.ServiceID) (*ServiceKey, error) {
	if id == s.Own().ID {
		return s.Own(), nil
	}
	path := s.path("keystore", id.String()+".key")
	k, err := readServiceKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("key of service %s: %w in this home", id, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	if k.ID != id {
		return nil, damaged(path, "it holds the key of another service")
	}
	return k, nil
}

// Remove deletes the key of a service that is not the node's own; one that is not there is no error.
func (s *Keys) Remove(id edgeistry.ServiceID) error {
	if id == s.Own().ID {
		return errors.New("the key of the node's own service cannot be removed")
	}
	return atomicfile.Remove(s.path("keystore", id.String()+".key"))
}

// All returns the keys of all owned services but the node's own. One damaged file fails the whole list: the node
// must not start as if it never owned the service.
func (s *Keys) All() ([]*ServiceKey, error) {
	names, err := listFiles(s.path("keystore"))
	if err != nil {
		return nil, fmt.Errorf("list keystore: %w", err)
	}
	var keys []*ServiceKey
	for _, name := range names {
		text, ok := strings.CutSuffix(name, ".key")
		if !ok {
			continue
		}
		id, err := edgeistry.ParseServiceID(text)
		if err != nil {
			continue // not ours: a backup copy, an editor's file
		}
		k, err := s.Get(id)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// saveOwn replaces the key of the node's own service.
func (s *Keys) saveOwn(k ServiceKey) error {
	data, err := k.encode()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	path := s.path("service.key")
	if err := atomicfile.Write(path, data, atomicfile.Secret); err != nil {
		if left, rerr := readServiceKey(path); rerr == nil { // a failed write may have replaced the file
			s.own = left
		}
		return fmt.Errorf("keep service key: %w", err)
	}
	s.own = &k
	return nil
}

// Own returns the key of the service that the node itself is: the one its own logs belong to. It is the caller's copy.
func (s *Keys) Own() *ServiceKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := *s.own
	return &k
}

// listFiles returns the names of the files in dir in order, without hidden ones; none if dir does not exist.
func listFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}
