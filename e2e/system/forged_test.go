package system

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/e2e/harness"
	"github.com/edgeistry/edgeistry/logstore"
	"github.com/edgeistry/edgeistry/node/api"
)

// TestForgedCopy reads the copy of a home node that has changed one entry of it. As the device proves the copy, log read --check refuses, and shows
// nothing; without, the reader believes its home node, which docs/guide/sharing.md says.
func TestForgedCopy(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	lab, seed := startLab(t, ctx)
	s := startSite(t, ctx, "--seed", seed)
	must(t, s.node.CLI(ctx, "cap", "mint", "shed", "read", "temperature", "--branch", "3", "--save", "shed/anna"))
	if _, err := s.node.Give(ctx, lab, "shed/anna"); err != nil {
		t.Fatal(err)
	}
	read := func(how string) (api.ReadResult, error) {
		var r api.ReadResult
		return r, lab.JSON(ctx, &r, "log", "read", "shed/temperature", "--from", "1", "--count", "3", "--cap", "shed/anna", how)
	}
	var genuine api.ReadResult
	if err := harness.Until(ctx, 30*time.Second, func() (err error) {
		if genuine, err = read("--check"); err == nil && len(genuine.Entries) < 3 {
			err = fmt.Errorf("%d entries, want 3", len(genuine.Entries))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}

	// The home node gives its copy another second entry, and every hash after it what follows from that.
	if err := s.node.Stop(); err != nil {
		t.Fatal(err)
	}
	forged := []byte{0x7f, 0xff}
	newest := rewrite(t, ctx, s, func(e *logstore.Entry) {
		if e.Place.Sequence == 2 {
			e.Payload = forged
		}
	})
	if _, err := s.node.Start(ctx); err != nil {
		t.Fatal(err)
	}
	var believed api.ReadResult
	if err := harness.Until(ctx, 30*time.Second, func() (err error) { believed, err = read("--mirror"); return err }); err != nil {
		t.Fatal(err)
	}
	if len(believed.Entries) != 3 || !bytes.Equal(believed.Entries[1].Payload, forged) || !bytes.Equal(believed.Entries[0].Payload, genuine.Entries[0].Payload) {
		t.Fatalf("the forged copy gives %+v, want the second entry forged: the test looks at the wrong entries", believed.Entries)
	}

	for _, tt := range []struct {
		what string
		args []string
		at   edgeistry.Place // the last entry that was read, where the device has another hash
	}{
		{"the forged entry among others", []string{"--from", "1", "--count", "3"}, edgeistry.Place{Incarnation: 1, Sequence: 3}},
		{"the forged entry alone", []string{"--from", "2", "--count", "1"}, edgeistry.Place{Incarnation: 1, Sequence: 2}},
		{"what follows it", []string{"--last", "1"}, newest},
	} {
		r := lab.CLI(ctx, append([]string{"log", "read", "shed/temperature", "--cap", "shed/anna", "--check"}, tt.args...)...)
		want := fmt.Sprintf("the copy is forged: the device's entry %d.%d has another hash\nto do: read from the device itself: edgeistry log read --direct\n", tt.at.Incarnation, tt.at.Sequence)
		if r.Code != 1 || string(r.Stderr) != want || len(r.Stdout) != 0 {
			t.Errorf("%s, with --check: exit code %d, stdout %q, stderr %q; want 1, nothing and %q", tt.what, r.Code, r.Stdout, r.Stderr, want)
		}
	}
	r := lab.CLI(ctx, "log", "read", "shed/temperature", "--from", "1", "--count", "1", "--cap", "shed/anna", "--check")
	if err := r.Err(); err != nil || !strings.Contains(string(r.Stderr), "; the device has proved it") {
		t.Errorf("an entry before the forged one, with --check: %v\n%s", err, r.Stderr)
	}

	// A home node that is no forger, and whose disk has changed a byte, notices itself.
	if err := s.node.Stop(); err != nil {
		t.Fatal(err)
	}
	damage(t, ctx, s)
	if _, err := s.node.Start(ctx); err != nil {
		t.Fatal(err)
	}
	own := s.node.CLI(ctx, "log", "read", "shed/temperature", "--from", "1", "--count", "3", "--mirror")
	if own.Code != 1 || !strings.Contains(string(own.Stderr), "temperature is corrupt at 1.2: checksum does not match\n") || len(own.Stdout) != 0 {
		t.Errorf("a damaged copy at its home: exit code %d\n%s%s", own.Code, own.Stdout, own.Stderr)
	}
	if _, err := read("--mirror"); err == nil || strings.Contains(err.Error(), "checksum") {
		t.Errorf("a damaged copy from elsewhere: %v, want an error that tells nothing of the home's disk", err)
	}
}

// startLab runs a node that a site can join, and gives its address: the site's may change when it starts again.
func startLab(t *testing.T, ctx context.Context) (lab *harness.Node, seed string) {
	t.Helper()
	lab = startNode(t, ctx, t.TempDir(), "lab", onLoopback...)
	var status api.Status
	if err := lab.JSON(ctx, &status, "status"); err != nil {
		t.Fatal(err)
	}
	return lab, status.Addrs[0]
}

// copied opens the datastore of the site's node, which is stopped, and gives the keys of its copy of the device's log, by their form in
// logstore/key.go.
func copied(t *testing.T, ctx context.Context, s *site, use func(datastore.Batching, logstore.LogID, []string)) {
	t.Helper()
	service, err := edgeistry.ParseServiceID(s.service)
	if err != nil {
		t.Fatal(err)
	}
	ds, closer, err := logstore.OpenPebble(filepath.Join(s.node.Home, "data"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := closer.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	results, err := ds.Query(ctx, query.Query{Prefix: "/logs", KeysOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	all, err := results.Rest()
	if err != nil {
		t.Fatal(err)
	}
	number := ""
	for _, r := range all {
		if number == "" && strings.HasPrefix(r.Key, "/logs/c/") && strings.HasSuffix(r.Key, hex.EncodeToString(service[:])+"/temperature") {
			number = strings.Split(r.Key, "/")[3]
		}
	}
	var keys []string
	for _, r := range all {
		if parts := strings.Split(r.Key, "/"); number != "" && len(parts) > 3 && parts[3] == number && parts[2] != "r" {
			keys = append(keys, r.Key)
		}
	}
	if len(keys) < 3 {
		t.Fatalf("log number %q has the keys %q, want some", number, keys)
	}
	use(ds, logstore.LogID{Service: service, Name: "temperature"}, keys)
}

// rewrite makes the copy anew from what change leaves of its entries, with a chain of hashes that
// is right in itself. It returns the newest place.
func rewrite(t *testing.T, ctx context.Context, s *site, change func(*logstore.Entry)) (newest edgeistry.Place) {
	t.Helper()
	copied(t, ctx, s, func(ds datastore.Batching, id logstore.LogID, keys []string) {
		var payloads [][]byte
		withLog(t, ctx, s, ds, id, func(l *logstore.Log) {
			newest = l.Head().Place
			entries, err := l.Last(ctx, logstore.MaxReadEntries)
			if err != nil || entries[0].Place != (edgeistry.Place{Incarnation: 1, Sequence: 1}) {
				t.Fatalf("the copy: %v, %d entries up to %v, want them from 1.1 on", err, len(entries), newest)
			}
			for i := range entries {
				change(&entries[i])
				payloads = append(payloads, entries[i].Payload)
			}
		})
		for _, key := range keys {
			if err := ds.Delete(ctx, datastore.RawKey(key)); err != nil {
				t.Fatal(err)
			}
		}
		withLog(t, ctx, s, ds, id, func(l *logstore.Log) {
			n, err := l.Mirror(ctx, edgeistry.Hash{}, edgeistry.Place{Incarnation: 1, Sequence: 1}, payloads)
			if err != nil || n != len(payloads) {
				t.Fatalf("%d of %d entries forged: %v", n, len(payloads), err)
			}
		})
	})
	return newest
}

func withLog(t *testing.T, ctx context.Context, s *site, ds datastore.Batching, id logstore.LogID, use func(*logstore.Log)) {
	t.Helper()
	store, err := logstore.Open(ctx, ds, logstore.Config{Witness: filepath.Join(s.node.Home, "witness")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	l, err := store.Log(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	use(l)
}

// damage changes one byte of the second entry as it is on disk.
func damage(t *testing.T, ctx context.Context, s *site) {
	t.Helper()
	copied(t, ctx, s, func(ds datastore.Batching, _ logstore.LogID, keys []string) {
		for _, key := range keys {
			if !strings.HasPrefix(key, "/logs/e/") || !strings.HasSuffix(key, "0000000100000002") {
				continue
			}
			value, err := ds.Get(ctx, datastore.RawKey(key))
			if err != nil {
				t.Fatal(err)
			}
			value = bytes.Clone(value)
			value[len(value)-5] ^= 1 // the payload's last byte; the checksum follows
			if err := ds.Put(ctx, datastore.RawKey(key), value); err != nil {
				t.Fatal(err)
			}
			if err := ds.Sync(ctx, datastore.RawKey(key)); err != nil {
				t.Fatal(err)
			}
			return
		}
		t.Fatalf("no second entry among %q", keys)
	})
}
