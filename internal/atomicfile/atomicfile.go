// Package atomicfile reads and replaces small files whole.
//
// Write replaces a file so that every reader, also one after a power cut, sees the old content or the new one: it writes a
// temporary file beside it, syncs the file, renames it, and syncs the folder. Read opens regular files only and reads at most as
// many bytes as the caller allows, so that a FIFO, a device or a huge file cannot stop the program.
//
// google/renameio does not serve here: it does not sync the folder after the rename, so a power cut can take back a write that
// was acknowledged, and it does not build for Windows.
//
//	if err := atomicfile.Write(path, data, atomicfile.Secret); err != nil {
//		return err
//	}
//	data, err := atomicfile.Read(path, 1<<20)
package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Modes of files and folders.
const (
	Secret fs.FileMode = 0o600 // a file that only its owner may read
	Plain  fs.FileMode = 0o644
	Dir    fs.FileMode = 0o700
)

var (
	// ErrNotRegular means that a path names something other than a regular file, like a FIFO or a device.
	ErrNotRegular = errors.New("not a regular file")
	// ErrTooLarge means that a file is larger than the reader allows.
	ErrTooLarge = errors.New("too large")
	// ErrExposed means that others than the owner may read or write a secret file.
	ErrExposed = errors.New("others on this machine may read this secret")
)

// Write replaces the file at path by data, or leaves it as it was. It makes the folder if there is none. The name of the
// temporary file starts with ".new-".
func Write(path string, data []byte, mode fs.FileMode) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, Dir); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// WriteNew is Write for a file that must not exist yet; else the error is fs.ErrExist.
func WriteNew(path string, data []byte, mode fs.FileMode) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s: %w", path, fs.ErrExist)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return Write(path, data, mode)
}

// Remove deletes a file durably. A file that does not exist is no error.
func Remove(path string) error {
	if err := os.Remove(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a rename or a removal in dir durable.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}

// Open opens an existing regular file. Of anything else it returns ErrNotRegular, and it never waits for the other end of a
// FIFO. flag is one of os.O_RDONLY, os.O_RDWR and os.O_WRONLY.
func Open(path string, flag int) (*os.File, error) {
	before, err := os.Stat(path) // opening some devices has an effect
	if err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", path, ErrNotRegular)
	}
	f, err := os.OpenFile(path, flag|nonblock, 0)
	if err != nil {
		return nil, err
	}
	if opened, err := f.Stat(); err != nil || !opened.Mode().IsRegular() { // exchanged since
		return nil, errors.Join(err, f.Close(), fmt.Errorf("%s: %w", path, ErrNotRegular))
	}
	return f, nil
}

// Read returns the content of a regular file of at most limit bytes.
func Read(path string, limit int) ([]byte, error) {
	f, err := Open(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return read(f, limit)
}

// ReadSecret is Read for a file that nobody but its owner may read or write; else the error is ErrExposed.
func ReadSecret(path string, limit int) ([]byte, error) {
	f, err := Open(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s: %w", path, ErrExposed)
	}
	return read(f, limit)
}

func read(f *os.File, limit int) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return nil, err
	}
	if len(b) > limit {
		return nil, fmt.Errorf("%s: %w: more than %d bytes", f.Name(), ErrTooLarge, limit)
	}
	return b, nil
}
