package logstore_test

import (
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/edgeistry/edgeistry/logstore"
)

// Appends a second, each on disk before it is acknowledged, beside a raw write and fdatasync to the
// same disk. Run all three together and compare: go test ./logstore -run - -bench
// 'AppendDurable|RawFdatasync'. TMPDIR chooses the disk.

const benchPayload = 128

func BenchmarkAppendDurable1(b *testing.B)  { benchmarkAppend(b, 1) }
func BenchmarkAppendDurable64(b *testing.B) { benchmarkAppend(b, 64) }

func benchmarkAppend(b *testing.B, clients int) {
	ds, closer, err := logstore.PebbleConfig{Logger: quiet()}.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer closer.Close()
	store, err := logstore.Open(b.Context(), ds, logstore.Config{Logger: quiet()})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	log, err := store.Log(b.Context(), events())
	if err != nil {
		b.Fatal(err)
	}
	data := make([]byte, benchPayload)
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if _, err := log.Append(b.Context(), logstore.AppendRequest{Payload: data}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "per_s")
}

func BenchmarkRawFdatasync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	data := make([]byte, benchPayload)
	b.ResetTimer()
	for range b.N {
		if _, err := f.Write(data); err != nil {
			b.Fatal(err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "per_s")
}

func BenchmarkRead(b *testing.B) {
	ds, closer, err := logstore.PebbleConfig{Logger: quiet()}.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer closer.Close()
	store, err := logstore.Open(b.Context(), ds, logstore.Config{Logger: quiet()})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	log, err := store.Log(b.Context(), events())
	if err != nil {
		b.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 64 {
				if _, err := log.Append(b.Context(), logstore.AppendRequest{Payload: make([]byte, benchPayload)}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b.ResetTimer()
	for range b.N {
		if entries, err := log.Read(b.Context(), 1, 2000, 100); err != nil || len(entries) != 100 {
			b.Fatal(len(entries), err)
		}
	}
	b.ReportMetric(100*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}
