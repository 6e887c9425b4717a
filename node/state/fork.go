package state

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// WriteFork writes a file of the folder forks: lines of evidence of a log that had two histories. It is on disk, whole, when WriteFork
// returns, or not there.
func (s *State) WriteFork(name string, write func(line func([]byte) error) error) (err error) {
	dir := filepath.Join(s.Dir(), "forks")
	defer func() {
		if err != nil {
			err = fmt.Errorf("keep the copy that forks: %w", err)
		}
	}()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".fork-*") // 0600
	if err != nil {
		return err
	}
	out := bufio.NewWriter(f)
	err = write(func(b []byte) error { _, err := out.Write(b); return err })
	if err == nil {
		err = errors.Join(out.Flush(), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
