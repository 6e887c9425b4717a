package logstore_test

import (
	"io"
	"testing"

	"github.com/edgeistry/edgeistry/logstore"
	"github.com/edgeistry/edgeistry/logstore/storetest"
	"github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"
)

func TestSuiteOnMap(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Backend { return mapBackend{newMap()} })
}

func TestSuiteOnPebble(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Backend { return &pebbleBackend{path: t.TempDir()} })
}

func newMap() datastore.Batching { return dssync.MutexWrap(datastore.NewMapDatastore()) }

type mapBackend struct{ ds datastore.Batching }

func (b mapBackend) Open(*testing.T) datastore.Batching { return b.ds }
func (b mapBackend) Close(*testing.T)                   {}

type pebbleBackend struct {
	path   string
	closer io.Closer
}

func (b *pebbleBackend) Open(t *testing.T) datastore.Batching {
	t.Helper()
	ds, closer, err := logstore.OpenPebble(b.path)
	if err != nil {
		t.Fatal(err)
	}
	b.closer = closer
	return ds
}

func (b *pebbleBackend) Close(t *testing.T) {
	t.Helper()
	if err := b.closer.Close(); err != nil {
		t.Error(err)
	}
}
