package state

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/gofrs/flock"

	"github.com/edgeistry/edgeistry/internal/atomicfile"
)

// Lock is held by the one process that runs a node on a state directory. The operating system lets go of it when the process
// ends, however it ends.
type Lock struct {
	lock *flock.Flock
	path string
}

// Lock takes the state directory for this process, or returns who has it (*LockedError). It does not wait.
func (h *State) Lock() (*Lock, error) {
	path := h.path("lock")
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fileError(path, atomicfile.ErrNotRegular)
	}
	l := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(atomicfile.Secret))
	ok, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock home: %w", err)
	}
	if !ok {
		pid := 0
		if raw, err := readFile(path); err == nil {
			pid, _ = strconv.Atoi(strings.TrimSpace(string(raw)))
		}
		return nil, &LockedError{Dir: h.dir, PID: pid}
	}
	// In place: a renamed file would not be the locked one.
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), atomicfile.Secret); err != nil {
		return nil, errors.Join(fmt.Errorf("lock home: %w", err), l.Close())
	}
	return &Lock{lock: l, path: path}, nil
}

// Close releases the state directory. It may be called twice.
func (l *Lock) Close() error {
	if !l.lock.Locked() {
		return nil
	}
	_ = os.Truncate(l.path, 0)
	return l.lock.Close()
}
