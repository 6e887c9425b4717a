package state

import (
	"errors"
	"fmt"

	"github.com/edgeistry/edgeistry/internal/atomicfile"
)

// maxFile bounds every file of a state directory, in bytes.
const maxFile = 256 << 10

// readFile reads a small file.
func readFile(path string) ([]byte, error) {
	b, err := atomicfile.Read(path, maxFile)
	return b, fileError(path, err)
}

// readSecret reads a small file that nobody else may read.
func readSecret(path string) ([]byte, error) {
	b, err := atomicfile.ReadSecret(path, maxFile)
	return b, fileError(path, err)
}

// fileError adds what to do to the errors of package atomicfile.
func fileError(path string, err error) error {
	switch {
	case errors.Is(err, atomicfile.ErrExposed):
		return &FileError{Path: path, Problem: atomicfile.ErrExposed.Error(), Action: "chmod 600 " + path}
	case errors.Is(err, atomicfile.ErrNotRegular):
		return &FileError{Path: path, Problem: "it is not a regular file", Action: "remove it, then restore this file from a backup"}
	case errors.Is(err, atomicfile.ErrTooLarge):
		return damaged(path, fmt.Sprintf("it is larger than %d bytes", maxFile))
	}
	return err
}
