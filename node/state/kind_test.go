//go:build unix

package state

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/edgeistry/edgeistry/capability"
)

// TestFilesThatAreNone puts a FIFO, which would be waited for without end, and a device, which has no end, in the place of each
// file of a state directory.
func TestFilesThatAreNone(t *testing.T) {
	for _, file := range []string{
		"version", "identity.key", "service.key", "config.yaml", "lock", "api", "keystore/ID.key", "keychain/greenhouse/owner",
		"names/greenhouse", "claims/01020304.yaml", "devices/ID.yaml", "revocations/ID.yaml",
	} {
		for _, kind := range []string{"fifo", "device"} {
			t.Run(kind+" "+file, func(t *testing.T) {
				s := newState(t)
				key, err := NewServiceKey()
				if err != nil {
					t.Fatal(err)
				}
				path := s.path(strings.ReplaceAll(file, "ID", key.ID.String()))
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
				if kind == "fifo" {
					err = syscall.Mkfifo(path, 0o600)
				} else {
					err = os.Symlink("/dev/zero", path)
				}
				if err != nil {
					t.Fatal(err)
				}
				var errs []error
				add := func(err error) { errs = append(errs, err) }
				_, err = Open(s.Dir())
				add(err)
				lock, err := s.Lock()
				add(err)
				if err == nil {
					add(lock.Close())
				}
				_, err = s.API.Get()
				add(err)
				_, err = s.Keys.All()
				add(err)
				entries, err := s.Keychain.All()
				add(err)
				_, err = s.Names.All()
				add(err)
				_, err = s.Claims.Get([4]byte{1, 2, 3, 4})
				add(err)
				_, err = s.Devices.All()
				add(err)
				_, err = s.Revocations.Get(key.ID)
				add(err)
				found := false
				for _, err := range errs {
					found = found || err != nil && strings.Contains(err.Error(), path+": it is not a regular file")
				}
				if !found {
					t.Errorf("errors = %v, want one that names %s", errs, path)
				}
				if len(entries) != 1 {
					t.Errorf("the keychain lists %d capabilities, want the other one", len(entries))
				}
				_ = s.Ended(&capability.Capability{Service: key.ID})
			})
		}
	}
}
