// Package logstore keeps append-only, hash-chained logs in a go-datastore.
//
// It promises:
//
//   - Acknowledged means on disk. Append, Mirror, Commit and Put return nil only after the datastore's Sync did.
//     Writes of many callers share one batch and one sync.
//   - After a failed write or sync nothing is acknowledged again: every waiting and later caller gets
//     ErrStopped, and Config.Fatal is called once, so that the process can exit and start over from what is on disk.
//   - An entry never changes. Each value has a version and a checksum, each entry the hash of the one before; what does
//     not verify is reported with log and place, is never returned, and stops appends to that log.
//   - Opening a log reads two values, whatever its length. No memory grows with a log's length.
//   - With Config.Witness, a datastore that dropped acknowledged writes, or an old copy of it, is noticed when it is opened.
//   - A retried append (same producer, same producer sequence) gives the receipt of the first.
//
// It does not: close the datastore; make batches atomic where the backend does not (pebble, badger
// and leveldb do); bring back what is lost.
//
// The layout on disk is docs/spec/log.md.
//
//	ds, closer, err := logstore.OpenPebble(dir)
//	store, err := logstore.Open(ctx, ds, logstore.Config{Fatal: func(err error) { stopNode(err) }})
//	log, err := store.Log(ctx, logstore.LogID{Service: id, Name: "events"})
//	receipt, err := log.Append(ctx, logstore.AppendRequest{Payload: []byte("open")})
//	changed := log.Changed()
//	entries, err := log.After(ctx, place, 32)
//	if len(entries) == 0 {
//		<-changed
//	}
//	err = errors.Join(store.Close(), closer.Close())
package logstore
