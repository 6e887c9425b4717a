package atomicfile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestWriteReplacesWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder", "file")
	for _, text := range []string{"first", "", strings.Repeat("x", 10_000)} {
		if err := Write(path, []byte(text), Secret); err != nil {
			t.Fatal(err)
		}
		got, err := ReadSecret(path, 10_000)
		if err != nil || string(got) != text {
			t.Errorf("ReadSecret = %d bytes, %v, want %d", len(got), err, len(text))
		}
	}
	if err := WriteNew(path, nil, Secret); !errors.Is(err, fs.ErrExist) {
		t.Errorf("WriteNew of a file that exists = %v", err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("the folder holds %v, %v, want one file", left, err)
	}
	if err := errors.Join(Remove(path), Remove(path)); err != nil {
		t.Errorf("Remove = %v", err)
	}
}

func TestWriteThatFailsLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(target, "inside"), Dir); err != nil {
		t.Fatal(err)
	}
	if err := Write(target, []byte("x"), Plain); err == nil {
		t.Error("Write replaced a folder")
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("a temporary file is left: %v", left)
	}
}

func TestReadIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := Write(path, bytes.Repeat([]byte{1}, 100), Plain); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path, 99); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Read of 100 bytes with limit 99 = %v", err)
	}
	if b, err := Read(path, 100); err != nil || len(b) != 100 {
		t.Errorf("Read of 100 bytes with limit 100 = %d, %v", len(b), err)
	}
	if _, err := ReadSecret(path, 100); runtime.GOOS != "windows" && !errors.Is(err, ErrExposed) {
		t.Errorf("ReadSecret of a file with mode %o = %v", Plain, err)
	}
	if _, err := Read(filepath.Dir(path), 100); !errors.Is(err, ErrNotRegular) {
		t.Errorf("Read of a folder = %v", err)
	}
	if _, err := Read(path+"2", 100); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read of nothing = %v", err)
	}
}
