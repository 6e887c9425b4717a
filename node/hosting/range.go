package hosting

import (
	"context"
	"time"

	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/logstore"
)

// awaitRange is readRange that waits for the first entry as long as the query asks for.
func awaitRange(ctx context.Context, l *logstore.Log, q coap.Query, count, limit int) (coap.Range, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(q.Wait)*time.Second)
	defer cancel()
	for {
		changed := l.Changed()
		r, err := readRange(context.WithoutCancel(ctx), l, q, count, limit)
		if err != nil || len(r.Entries) > 0 || q.Wait == 0 {
			return r, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return r, nil
		}
	}
}

// readRange returns the entries that a query names, as many as fit in limit bytes but at least one.
func readRange(ctx context.Context, l *logstore.Log, q coap.Query, count, limit int) (coap.Range, error) {
	head := l.Head()
	var entries []logstore.Entry
	var err error
	switch {
	case q.HasFrom:
		incarnation := head.Incarnation
		if q.HasIncarnation {
			incarnation = q.Incarnation
		}
		entries, err = l.Read(ctx, incarnation, q.From, count)
	case q.HasAfter:
		entries, err = l.After(ctx, q.After, count)
	default: // an observation: from the head on
		entries, err = l.Last(ctx, 1)
	}
	if err != nil {
		return coap.Range{}, err
	}
	if len(entries) == 0 {
		return coap.Range{Incarnation: head.Incarnation, First: head.Sequence + 1, Previous: head.Hash}, nil
	}
	first := entries[0]
	r := coap.Range{Incarnation: first.Place.Incarnation, First: first.Place.Sequence, Previous: first.Prev}
	size := 0
	for i, e := range entries {
		size += 2 + len(e.Payload)
		if i > 0 && size > limit {
			break
		}
		r.Entries = append(r.Entries, e.Payload)
	}
	return r, nil
}
