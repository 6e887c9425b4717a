package hosting

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/edgeistry/edgeistry/logstore"
)

// NextBoot counts the starts of this node, on disk before it is used: a session of an earlier start can never fit a later one.
func NextBoot(ctx context.Context, store *logstore.Store) (uint32, error) {
	const name = "node/boot"
	var boot uint32
	raw, err := store.Get(ctx, name)
	switch {
	case errors.Is(err, logstore.ErrNotFound):
	case err != nil:
		return 0, fmt.Errorf("count the start: %w", err)
	case len(raw) != 4:
		return 0, fmt.Errorf("count the start: record of %d bytes", len(raw))
	default:
		boot = binary.BigEndian.Uint32(raw)
	}
	boot++
	if err := store.Put(ctx, name, binary.BigEndian.AppendUint32(nil, boot)); err != nil {
		return 0, fmt.Errorf("count the start: %w", err)
	}
	return boot, nil
}
