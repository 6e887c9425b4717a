package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/internal/atomicfile"
)

// OwnCapability is the keychain name of the owner capability of the node's own service.
const OwnCapability = "node/owner"

// KeychainEntry is one capability in the keychain.
type KeychainEntry struct {
	Name       string // greenhouse/owner
	Capability *capability.Capability
}

// CheckCapabilityName returns what is wrong with a keychain name: SERVICE/CAP, where SERVICE is a service's name or ID.
func CheckCapabilityName(name string) error {
	service, cap, ok := strings.Cut(name, "/")
	if !ok {
		return fmt.Errorf("capability name %.80q must be SERVICE/NAME, like greenhouse/anna", name)
	}
	if _, err := edgeistry.ParseServiceID(service); err != nil {
		if err := edgeistry.CheckName(service); err != nil {
			return fmt.Errorf("capability name %.80q: %w", name, err)
		}
	}
	if err := edgeistry.CheckName(cap); err != nil {
		return fmt.Errorf("capability name %.80q: %w", name, err)
	}
	return nil
}

// Keychain holds capabilities: keychain/NAME/CAP.
type Keychain struct{ folder }

func (s *Keychain) file(name string) string {
	return s.path("keychain", filepath.FromSlash(name))
}

// Save stores a capability under a name. The same capability may be saved again; another one under a name that is
// taken is refused, so that no permission is lost by a slip.
func (s *Keychain) Save(name string, c *capability.Capability) error {
	if err := CheckCapabilityName(name); err != nil {
		return err
	}
	path := s.file(name)
	text := c.Text() + "\n"
	if old, err := readSecret(path); err == nil {
		if string(old) == text {
			return nil
		}
		return fmt.Errorf("keep capability: the name %q is taken by another capability; remove it or use another name", name)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keep capability: %w", err)
	}
	if err := atomicfile.Write(path, []byte(text), atomicfile.Secret); err != nil {
		return fmt.Errorf("keep capability: %w", err)
	}
	return nil
}

// RenewOwner puts the owner's capability that a key gives now in the place of those of other generations and epochs.
func (s *Keychain) RenewOwner(k *ServiceKey) error {
	entries, _ := s.All() // a damaged one is no capability to renew
	owner := k.Owner()
	for _, e := range entries {
		if e.Capability.Service != k.ID || !IsOwner(e.Capability) || e.Capability.Text() == owner.Text() {
			continue
		}
		if err := atomicfile.Write(s.file(e.Name), []byte(owner.Text()+"\n"), atomicfile.Secret); err != nil {
			return fmt.Errorf("renew capability %q: %w", e.Name, err)
		}
	}
	return nil
}

// Ended returns why a capability of an owned service is over: its epoch, its generation, or the deny list. Empty: as far as this
// state directory knows, it is not.
func (h *State) Ended(c *capability.Capability) string {
	k, err := h.Keys.Get(c.Service)
	if err != nil {
		return ""
	}
	r, err := h.Revocations.Get(c.Service)
	if err != nil {
		r = &Revocations{} // damaged; the node says so
	}
	generation := k.Generations[c.Header.Branch&capability.BranchMirror]
	change, ending := r.Epoch()
	switch {
	case c.Header.Epoch != k.Epoch, ending && c.Header.Epoch < change.Epoch:
		return fmt.Sprintf("epoch %d is over", c.Header.Epoch)
	case c.Header.Generation < generation:
		return fmt.Sprintf("generation %d of branch %d is over", c.Header.Generation, c.Header.Branch)
	case r.Denies(c):
		return "on the deny list"
	}
	return ""
}

// Get reads one capability of the keychain.
func (s *Keychain) Get(name string) (*capability.Capability, error) {
	if err := CheckCapabilityName(name); err != nil {
		return nil, err
	}
	path := s.file(name)
	raw, err := readSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("capability %q: %w in the keychain of %s", name, ErrNotFound, s.folder)
	}
	if err != nil {
		return nil, fmt.Errorf("capability %q: %w", name, err)
	}
	c, err := capability.Parse(strings.TrimSpace(string(raw)))
	if err != nil {
		return nil, damaged(path, "it is not a capability")
	}
	return c, nil
}

// Remove deletes a capability from the keychain. Removing one that is not there is ErrNotFound.
func (s *Keychain) Remove(name string) error {
	if err := CheckCapabilityName(name); err != nil {
		return err
	}
	path := s.file(name)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("capability %q: %w in the keychain of %s", name, ErrNotFound, s.folder)
	}
	return atomicfile.Remove(path)
}

// All lists the keychain in order of name. Damaged files are left out of the list and joined in the error, so that one
// of them does not hide the rest.
func (s *Keychain) All() ([]KeychainEntry, error) {
	dirs, err := os.ReadDir(s.path("keychain"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list keychain: %w", err)
	}
	var out []KeychainEntry
	var bad error
	for _, d := range dirs {
		if !d.IsDir() {
			continue
		}
		files, err := listFiles(s.path("keychain", d.Name()))
		if err != nil {
			return nil, fmt.Errorf("list keychain: %w", err)
		}
		for _, f := range files {
			name := d.Name() + "/" + f
			if CheckCapabilityName(name) != nil {
				continue
			}
			c, err := s.Get(name)
			if err != nil {
				bad = errors.Join(bad, err)
				continue
			}
			out = append(out, KeychainEntry{Name: name, Capability: c})
		}
	}
	return out, bad
}
