package logstore

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/edgeistry/edgeistry"
)

var (
	// ErrClosed reports that the store was closed before the write was taken up.
	ErrClosed = errors.New("log store is closed")

	// ErrStopped reports that a write or sync failed before, so nothing is acknowledged any more.
	// What became of the write that got this error is unknown: a retry after the restart, with the
	// same producer sequence, settles it.
	ErrStopped = errors.New("log store stopped after a failed write")

	// ErrNotKept reports that a place is not in the log: never written, overwritten before it was
	// mirrored, or not yet there.
	ErrNotKept = errors.New("entry is not kept")

	// ErrTooLarge reports that a payload, record or request is beyond its limit.
	ErrTooLarge = errors.New("too large")

	// ErrLimit reports that the store holds as many logs as it may.
	ErrLimit = errors.New("limit reached")

	// ErrKind reports that a log is written by Append or by Mirror, never by both.
	ErrKind = errors.New("log is of the other kind")

	// ErrProducer reports that a producer's sequence is behind its newest, or names another payload
	// than before.
	ErrProducer = errors.New("producer sequence was used before")

	// ErrNotFound reports that there is no such record.
	ErrNotFound = errors.New("no such record")
)

// FullError reports that the disk has no room. Nothing is damaged, and what was acknowledged is on
// disk.
type FullError struct {
	Free uint64 // bytes, where known
	Err  error
}

func (e *FullError) Error() string {
	if e.Free > 0 {
		return fmt.Sprintf("the disk is full: %d kB are free, %d MB are needed", e.Free>>10, minRoom>>20)
	}
	return "the disk is full: " + e.Err.Error()
}

func (e *FullError) Unwrap() error { return e.Err }

// isFull reports whether a write failed for want of room, or of quota.
func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// IsDamage reports whether an error of opening or reading says that files are damaged.
func IsDamage(err error) bool {
	var corrupt *CorruptError
	return errors.As(err, &corrupt) || pebble.IsCorruptionError(err) || errors.Is(err, errChecksum)
}

// asFull returns a *FullError for an error that reports a full disk.
func asFull(err error) error {
	var full *FullError
	if !isFull(err) || errors.As(err, &full) {
		return err
	}
	return &FullError{Err: err}
}

// ConflictError refuses a compare-and-append: the head is not the expected one.
type ConflictError struct {
	Log  LogID
	Head edgeistry.Head
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("append to %s: head is at %d.%d, not where it was expected", e.Log, e.Head.Incarnation, e.Head.Sequence)
}

// ForkError refuses mirrored entries that contradict what is stored: the source has two histories.
type ForkError struct {
	Log  LogID
	At   edgeistry.Place
	Have edgeistry.Hash // chain hash stored at that place
	Got  edgeistry.Hash // chain hash that the source claims
}

func (e *ForkError) Error() string {
	return fmt.Sprintf("log %s forks at %d.%d: stored hash %x, the source has %x", e.Log, e.At.Incarnation, e.At.Sequence, e.Have, e.Got)
}

// CorruptError reports that something stored does not verify. The log refuses appends from then on.
type CorruptError struct {
	Log    LogID
	At     edgeistry.Place // zero if it is not an entry
	Detail string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("log %s is corrupt at %d.%d: %s", e.Log, e.At.Incarnation, e.At.Sequence, e.Detail)
}
