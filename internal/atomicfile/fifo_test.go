//go:build unix

package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestOpenRefusesWhatIsNoFile: a FIFO without a writer would be waited for without end, and a device has no end.
func TestOpenRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("/dev/zero", link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fifo, "/dev/zero", link} {
		if _, err := Read(path, 10); !errors.Is(err, ErrNotRegular) {
			t.Errorf("Read(%s) = %v, want ErrNotRegular", path, err)
		}
		if _, err := ReadSecret(path, 10); !errors.Is(err, ErrNotRegular) {
			t.Errorf("ReadSecret(%s) = %v, want ErrNotRegular", path, err)
		}
		if _, err := Open(path, os.O_RDWR); !errors.Is(err, ErrNotRegular) {
			t.Errorf("Open(%s, O_RDWR) = %v, want ErrNotRegular", path, err)
		}
	}
}
