package dht

import (
	"bytes"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p-record"
)

// Validator decides which records a node of the mesh stores and passes on. DHT servers do not look
// again at what they serve, so this is the only guard.
type Validator struct {
	Now func() time.Time // nil: time.Now
}

var _ record.Validator = Validator{}

// Validate returns the error of Open.
func (v Validator) Validate(key string, value []byte) error {
	_, err := Open(key, value, v.now())
	return err
}

// Select returns the index of the best value: the highest sequence, then the latest expiry, then
// the largest bytes. Values that do not open do not take part.
func (v Validator) Select(key string, values [][]byte) (int, error) {
	best := -1
	var bestRec Record
	var firstErr error
	for i, value := range values {
		rec, err := Open(key, value, v.now())
		if err != nil {
			if firstErr == nil {
				firstErr = err
			}
			continue
		}
		if best < 0 || compare(&rec, value, &bestRec, values[best]) > 0 {
			best, bestRec = i, rec
		}
	}
	if best < 0 {
		if firstErr == nil {
			firstErr = errors.New("select from no values")
		}
		return 0, firstErr
	}
	return best, nil
}

func (v Validator) now() time.Time {
	if v.Now != nil {
		return v.Now()
	}
	return time.Now()
}

// compare orders two records of one service: positive when a replaces b.
func compare(a *Record, aValue []byte, b *Record, bValue []byte) int {
	switch {
	case a.Sequence != b.Sequence:
		if a.Sequence > b.Sequence {
			return 1
		}
		return -1
	case !a.Expiry.Equal(b.Expiry):
		return a.Expiry.Compare(b.Expiry)
	}
	return bytes.Compare(aValue, bValue)
}
