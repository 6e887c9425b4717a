package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/edgeistry/edgeistry/internal/atomicfile"
	"github.com/edgeistry/edgeistry/node/config"
)

// formatVersion is what the file version holds.
const formatVersion = "1"

// EnvDir is the environment variable that names the state directory.
const EnvDir = "EDGEISTRY_HOME"

// DefaultDir returns $EDGEISTRY_HOME, or .edgeistry in the user's home directory.
func DefaultDir() (string, error) {
	if d := os.Getenv(EnvDir); d != "" {
		return d, nil
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the home: %w; set %s", err, EnvDir)
	}
	return filepath.Join(user, ".edgeistry"), nil
}

// State is an opened home directory. Its methods may be used by many goroutines.
type State struct {
	dir      string
	config   config.Config
	identity crypto.PrivKey
	peerID   peer.ID

	Keys        *Keys            // of owned services
	Keychain    *Keychain        // capabilities
	Names       *Names           // local names of services
	Claims      *Claims          // claims that have begun
	Devices     *Devices         // devices that this node is home to
	Revocations *RevocationLists // what was revoked of owned services
	API         *EndpointFile    // where the running node's HTTP API is
}

// stores returns a State whose stores are those of dir. own is the key of the node's own service.
func stores(dir string, own *ServiceKey) *State {
	f := folder(dir)
	keys := &Keys{folder: f, own: own}
	return &State{
		dir: dir, Keys: keys, Keychain: &Keychain{f}, Names: &Names{f, keys}, Claims: &Claims{f}, Devices: &Devices{f},
		Revocations: &RevocationLists{f}, API: &EndpointFile{f},
	}
}

// folder is a state directory as its stores know it.
type folder string

// path returns the path of a file in the directory.
func (f folder) path(elem ...string) string {
	return filepath.Join(append([]string{string(f)}, elem...)...)
}

// IsSecret reports whether a file of a state directory, by its path in it, holds a secret. Such a file is 0600.
func IsSecret(name string) bool {
	first, _, _ := strings.Cut(filepath.ToSlash(name), "/")
	switch first {
	case "identity.key", "service.key", "api", "keystore", "keychain", "devices", "claims", "revocations":
		return true
	}
	return false
}

// Init makes dir a state directory with this configuration and fresh keys. It overwrites nothing: a directory that is one
// already gives ErrExists, and an Init that was interrupted is taken up where it stopped, with the keys it had made.
func Init(dir string, c config.Config) (*State, error) {
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("init %s: %w", dir, err)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("init: %w", err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "version")); err == nil {
		return nil, fmt.Errorf("init: %s %w; nothing was changed", dir, ErrExists)
	}
	if err := initDir(dir); err != nil {
		return nil, err
	}
	path := func(name string) string { return filepath.Join(dir, name) }
	err = keepOrMake(path("identity.key"), func(p string) error { _, _, err := readIdentity(p); return err }, newIdentity)
	if err != nil {
		return nil, fmt.Errorf("init: %w", err)
	}
	err = keepOrMake(path("service.key"), func(p string) error { _, err := readServiceKey(p); return err }, func(p string) error {
		k, err := NewServiceKey()
		if err != nil {
			return err
		}
		data, err := k.encode()
		if err != nil {
			return err
		}
		return atomicfile.WriteNew(p, data, atomicfile.Secret)
	})
	if err != nil {
		return nil, fmt.Errorf("init: %w", err)
	}
	for _, d := range []string{"keystore", "keychain", "names", "devices", "data"} {
		if err := os.MkdirAll(path(d), atomicfile.Dir); err != nil {
			return nil, fmt.Errorf("init: %w", err)
		}
	}
	if err := atomicfile.Write(path("config.yaml"), c.Format(), atomicfile.Secret); err != nil {
		return nil, fmt.Errorf("init: %w", err)
	}
	own, err := readServiceKey(path("service.key"))
	if err != nil {
		return nil, fmt.Errorf("init: %w", err)
	}
	h := stores(dir, own)
	if err := h.Keychain.Save(OwnCapability, own.Owner()); err != nil {
		return nil, fmt.Errorf("init: %w", err)
	}
	if err := atomicfile.WriteNew(path("version"), []byte(formatVersion+"\n"), atomicfile.Plain); err != nil {
		return nil, fmt.Errorf("init: %w", err)
	}
	return Open(dir)
}

// initDir makes the directory, or checks that what is there is empty or an interrupted Init.
func initDir(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(dir, atomicfile.Dir); err != nil {
			return fmt.Errorf("init: %w", err)
		}
		return nil
	case err != nil:
		return fmt.Errorf("init: %w", err)
	}
	ours := map[string]bool{"identity.key": true, "service.key": true, "config.yaml": true, "keystore": true, "keychain": true, "names": true, "devices": true, "claims": true, "revocations": true, "data": true, "witness": true}
	for _, e := range entries {
		if !ours[e.Name()] && !strings.HasPrefix(e.Name(), ".new-") {
			return fmt.Errorf("init: %s holds %q, which is not of a home; use an empty directory", dir, e.Name())
		}
		if e.Name() == "config.yaml" && len(entries) == 1 {
			return fmt.Errorf("init: %s holds a config.yaml and no identity; move it away first", dir)
		}
	}
	return os.Chmod(dir, atomicfile.Dir)
}

// Open reads a state directory and checks its files. It changes nothing and needs no lock.
func Open(dir string) (*State, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open home: %w", err)
	}
	if err := checkVersion(dir); err != nil {
		return nil, err
	}
	h := stores(dir, nil)
	if h.identity, h.peerID, err = readIdentity(h.path("identity.key")); err != nil {
		return nil, fileMissing(h.path("identity.key"), err)
	}
	if h.Keys.own, err = readServiceKey(h.path("service.key")); err != nil {
		return nil, fileMissing(h.path("service.key"), err)
	}
	raw, err := readFile(h.path("config.yaml"))
	if err != nil {
		return nil, fileMissing(h.path("config.yaml"), err)
	}
	if h.config, err = config.Parse(raw); err != nil {
		return nil, &FileError{Path: h.path("config.yaml"), Problem: err.Error(), Action: "correct the file"}
	}
	return h, nil
}

func checkVersion(dir string) error {
	path := filepath.Join(dir, "version")
	raw, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(filepath.Join(dir, "identity.key")); err == nil {
			return &FileError{Path: path, Problem: "it is missing: an init was interrupted, or the file was lost", Action: "run edgeistry init again on this home (it keeps the keys)"}
		}
		return fmt.Errorf("%s: %w; to do: edgeistry init --home %s", dir, ErrNoState, dir)
	}
	if err != nil {
		return fmt.Errorf("open home: %w", err)
	}
	if got := strings.TrimSpace(string(raw)); got != formatVersion {
		if len(got) > 20 {
			got = got[:20]
		}
		return &FileError{Path: path, Problem: fmt.Sprintf("the home has version %q, this program knows %s", got, formatVersion), Action: "use the edgeistry that made it, or restore the file"}
	}
	return nil
}

// fileMissing turns "no such file" into what to do about it.
func fileMissing(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return damaged(path, "it is missing")
	}
	var fe *FileError
	if errors.As(err, &fe) {
		return err
	}
	return fmt.Errorf("open home: %w", err)
}

func (h *State) path(elem ...string) string {
	return filepath.Join(append([]string{h.dir}, elem...)...)
}

// Dir returns the absolute path of the state directory.
func (h *State) Dir() string { return h.dir }

// WitnessFile is the file, apart from the datastore, by which lost acknowledgements are noticed.
func (h *State) WitnessFile() string { return h.path("witness") }

// DataDir returns the folder of the datastore.
func (h *State) DataDir() string { return h.path("data") }

// Config returns the configuration as read by Open.
func (h *State) Config() config.Config { return h.config }

// Identity returns the node's private key.
func (h *State) Identity() crypto.PrivKey { return h.identity }

// PeerID returns the node's ID, 12D3KooW...
func (h *State) PeerID() peer.ID { return h.peerID }
