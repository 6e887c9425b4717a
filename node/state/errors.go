package state

import (
	"errors"
	"fmt"
)

// ErrExists is returned by Init for a directory that already is a state directory.
var ErrExists = errors.New("is already a home")

// ErrNoState is returned by Open for a directory that is no state directory.
var ErrNoState = errors.New("no home here")

// ErrNotFound is returned for a name, key, capability or device that the state directory does not hold.
var ErrNotFound = errors.New("not found")

// ErrForeign is returned for a file api that belongs to the node of another state directory.
var ErrForeign = errors.New("is of the node on another state directory")

// FileError names an unusable file of a state directory, why it is unusable, and what to do. It never holds the file's content.
type FileError struct {
	Path    string
	Problem string
	Action  string
}

func (e *FileError) Error() string {
	if e.Action == "" {
		return fmt.Sprintf("%s: %s", e.Path, e.Problem)
	}
	return fmt.Sprintf("%s: %s; to do: %s", e.Path, e.Problem, e.Action)
}

// damaged returns the error for a file that cannot be what a node once wrote. The file is left as it is.
func damaged(path, problem string) error {
	return &FileError{Path: path, Problem: problem, Action: "restore this file from a backup (it was left as it is)"}
}

// LockedError names the process that holds the state directory.
type LockedError struct {
	Dir string
	PID int // 0: unknown
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("another process already runs on %s", e.Dir)
	}
	return fmt.Sprintf("process %d already runs on %s; stop it first, or use another --home", e.PID, e.Dir)
}
