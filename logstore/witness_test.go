package logstore_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/edgeistry/edgeistry/logstore"
)

// A bit flips in pebble's write-ahead log while the process is down: all acknowledged entries are
// there, or the damage is named.
func TestDamagedWriteAheadLogIsNotSilent(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	noticed := map[string]int{}
	for range rounds(t, 60) {
		disk := vfs.NewCrashableMem()
		witness := filepath.Join(t.TempDir(), "witness")
		ds, closer, err := logstore.PebbleConfig{FS: disk, Logger: quiet()}.Open("data")
		if err != nil {
			t.Fatal(err)
		}
		cfg := logstore.Config{Logger: quiet(), Witness: witness}
		store, err := logstore.Open(t.Context(), ds, cfg)
		if err != nil {
			t.Fatal(err)
		}
		log, err := store.Log(t.Context(), events())
		if err != nil {
			t.Fatal(err)
		}
		var acks []ack
		for seq := uint64(1); seq <= 30; seq++ {
			r, err := log.Append(t.Context(), logstore.AppendRequest{Producer: "0", ProducerSeq: seq, Payload: payload(0, seq)})
			if err != nil {
				t.Fatal(err)
			}
			acks = append(acks, ack{0, seq, r})
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		down := disk.CrashClone(vfs.CrashCloneCfg{}) // before pebble could put it all into tables
		if err := closer.Close(); err != nil {
			t.Fatal(err)
		}
		flipInLog(t, down, rng)
		noticed[whatIsNoticed(t, down, cfg, acks)]++
	}
	t.Logf("%v", noticed)
	if noticed["loss"] == 0 {
		t.Error("no flip made pebble drop entries: the witness was not tried")
	}
}

// flipInLog flips a bit in what is written of the newest write-ahead log.
func flipInLog(t *testing.T, disk *vfs.MemFS, rng *rand.Rand) {
	t.Helper()
	names, err := disk.List("data")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".log") {
			continue
		}
		f, err := disk.OpenReadWrite("data/"+name, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		end := len(strings.TrimRight(string(b), "\x00"))
		if end > 0 {
			at := rng.IntN(end)
			if _, err := f.WriteAt([]byte{b[at] ^ 1<<rng.IntN(8)}, int64(at)); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func whatIsNoticed(t *testing.T, disk *vfs.MemFS, cfg logstore.Config, acks []ack) string {
	t.Helper()
	ds, closer, err := logstore.PebbleConfig{FS: disk, Logger: quiet()}.Open("data")
	if err != nil {
		return "refused by pebble"
	}
	defer closer.Close()
	store, err := logstore.Open(t.Context(), ds, cfg)
	var loss *logstore.LossError
	if errors.As(err, &loss) {
		return "loss"
	}
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	log, err := store.Log(t.Context(), events())
	var corrupt *logstore.CorruptError
	if errors.As(err, &corrupt) {
		return "corruption"
	}
	if err != nil {
		t.Fatal(err)
	}
	checkAcks(t, log, acks)
	return "nothing amiss"
}

func TestWitness(t *testing.T) {
	path := filepath.Join(t.TempDir(), "witness")
	cfg := logstore.Config{Logger: quiet(), Witness: path}
	full, err := logstore.Open(t.Context(), newMap(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := full.Put(t.Context(), "x", nil); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := full.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	}
	var loss *logstore.LossError
	if _, err := logstore.Open(t.Context(), newMap(), cfg); !errors.As(err, &loss) || loss.Acknowledged != 3 || loss.Have != 0 {
		t.Errorf("Open of an older datastore = %v, want a loss of 3", err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"empty": "", "short": "E", "zero": strings.Repeat("\x00", len(good)), "text": strings.Repeat("x", 2000)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := logstore.Open(t.Context(), newMap(), cfg); err == nil || !strings.Contains(err.Error(), "is damaged") {
			t.Errorf("%s: Open with a damaged witness = %v", name, err)
		}
	}
}
