package logstore_test

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/logstore"
	"github.com/edgeistry/edgeistry/logstore/storetest"
)

const (
	childEnv = "EDGEISTRY_LOGSTORE_TEST_DIR"
	writers  = 8
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		fmt.Fprintln(os.Stderr, child(dir, strings.Split(os.Getenv(childEnv+"_ACKED"), ",")))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// rounds is how often a fault test does its worst: few times by default, as often as
// EDGEISTRY_TORTURE_ROUNDS says otherwise.
func rounds(t testing.TB, standard int) int {
	t.Helper()
	text := os.Getenv("EDGEISTRY_TORTURE_ROUNDS")
	if text == "" {
		if raceDetector {
			return standard / 4
		}
		return standard
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("EDGEISTRY_TORTURE_ROUNDS=%q is not a number", text)
	}
	return n
}

func events() logstore.LogID { return logstore.LogID{Service: storetest.Service(), Name: "events"} }

func payload(writer int, seq uint64) []byte {
	return fmt.Appendf(nil, "writer %d says %d", writer, seq)
}

// child appends with several writers and prints each acknowledgement: writer, producer sequence,
// place, hash.
func child(dir string, acked []string) error {
	ctx := context.Background()
	ds, _, err := logstore.OpenPebble(dir)
	if err != nil {
		return err
	}
	store, err := logstore.Open(ctx, ds, logstore.Config{Fatal: func(err error) { panic(err) }})
	if err != nil {
		return err
	}
	log, err := store.Log(ctx, events())
	if err != nil {
		return err
	}
	failed := make(chan error, writers)
	var out sync.Mutex
	for w := range writers {
		last, err := strconv.ParseUint(acked[w], 10, 64)
		if err != nil {
			return err
		}
		go func() {
			for seq := last + 1; ; seq++ {
				r, err := log.Append(ctx, logstore.AppendRequest{Producer: fmt.Sprint(w), ProducerSeq: seq, Payload: payload(w, seq)})
				if err != nil {
					failed <- err
					return
				}
				out.Lock()
				_, err = fmt.Printf("%d %d %d %d %x\n", w, seq, r.Place.Incarnation, r.Place.Sequence, r.Hash)
				out.Unlock()
				if err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

// ack is what a writer was told.
type ack struct {
	writer  int
	seq     uint64
	receipt logstore.Receipt
}

func parseAck(line string) (ack, error) {
	var a ack
	var hash string
	if _, err := fmt.Sscanf(line, "%d %d %d %d %s\n", &a.writer, &a.seq, &a.receipt.Place.Incarnation, &a.receipt.Place.Sequence, &hash); err != nil {
		return a, err
	}
	raw, err := hex.DecodeString(hash)
	if err != nil || len(raw) != edgeistry.HashSize {
		return a, fmt.Errorf("hash %q", hash)
	}
	a.receipt.Hash = edgeistry.Hash(raw)
	return a, nil
}

// A process that appends is killed again and again. Nothing acknowledged is lost, and what was sent
// twice is there once.
func TestKilledProcessLosesNothing(t *testing.T) {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(5, 6))
	var acks []ack
	last := make([]uint64, writers)
	n := rounds(t, 20)
	for range n {
		for _, a := range killAfter(t, dir, last, 1+rng.IntN(400)) {
			acks = append(acks, a)
			last[a.writer] = a.seq
		}
	}
	ds, closer, err := logstore.OpenPebble(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	store, err := logstore.Open(t.Context(), ds, logstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	log, err := store.Log(t.Context(), events())
	if err != nil {
		t.Fatal(err)
	}
	checkAcks(t, log, acks)
	t.Logf("%d kills, %d acknowledgements, %d entries", n, len(acks), log.Head().Sequence)
}

// checkAcks reads the whole log and compares it with what was acknowledged.
func checkAcks(t *testing.T, log *logstore.Log, acks []ack) {
	t.Helper()
	type key struct{ producer, seq any }
	once := map[key]edgeistry.Place{}
	byPlace := map[edgeistry.Place]logstore.Entry{}
	var at edgeistry.Place
	for {
		entries, err := log.After(t.Context(), at, logstore.MaxReadEntries)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 0 {
			break
		}
		for _, e := range entries {
			k := key{e.Producer, e.ProducerSeq}
			if other, twice := once[k]; twice {
				t.Errorf("%v and %v are both entry %d of producer %s", other, e.Place, e.ProducerSeq, e.Producer)
			}
			once[k], byPlace[e.Place], at = e.Place, e, e.Place
		}
	}
	lost := 0
	for _, a := range acks {
		e, ok := byPlace[a.receipt.Place]
		if !ok || e.Hash != a.receipt.Hash || string(e.Payload) != string(payload(a.writer, a.seq)) {
			lost++
		}
	}
	if lost > 0 || len(acks) == 0 {
		t.Errorf("%d of %d acknowledged entries are lost", lost, len(acks))
	}
}

// killAfter starts the child, kills it after some acknowledgements, and gives all that came.
func killAfter(t *testing.T, dir string, last []uint64, after int) []ack {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe) // the context kills with SIGKILL too
	cmd.Env = append(os.Environ(), childEnv+"="+dir, childEnv+"_ACKED="+strings.Trim(strings.ReplaceAll(fmt.Sprint(last), " ", ","), "[]"))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var acks []ack
	lines := bufio.NewReader(pipe)
	for {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break // a line cut short by the kill was not read by anybody
		}
		if err != nil {
			t.Fatal(err)
		}
		a, err := parseAck(line)
		if err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		acks = append(acks, a)
		if len(acks) == after {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // it was killed
	if len(acks) < after {
		t.Fatalf("child ended after %d acknowledgements: %s", len(acks), stderr.String())
	}
	return acks
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
