// Package storetest is the suite that a log store has to pass on any datastore.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/logstore"
	"github.com/ipfs/go-datastore"
)

// Backend is a datastore under test. Open gives it, and gives it again with what was synced after
// Close.
type Backend interface {
	Open(t *testing.T) datastore.Batching
	Close(t *testing.T)
}

// Run runs the suite; backend makes an empty backend for each test.
func Run(t *testing.T, backend func(t *testing.T) Backend) {
	for name, test := range map[string]func(*testing.T, *fixture){
		"AppendAndReopen": appendAndReopen,
		"Range":           rangeEdges,
		"Expect":          expect,
		"Producer":        producer,
		"ManyClients":     manyClients,
		"Mirror":          mirror,
		"MirrorRefuses":   mirrorRefuses,
		"MirrorModel":     mirrorModel,
		"Transaction":     transaction,
		"Records":         records,
		"Limits":          limits,
		"Drop":            drop,
		"Changed":         changed,
		"Closed":          closed,
	} {
		t.Run(name, func(t *testing.T) {
			f := &fixture{backend: backend(t)}
			f.open(t)
			defer f.close(t)
			test(t, f)
		})
	}
}

// Service is the service that the suite's logs belong to.
func Service() edgeistry.ServiceID {
	return edgeistry.ServiceID(bytes.Repeat([]byte{7}, len(edgeistry.ServiceID{})))
}

type fixture struct {
	backend Backend
	store   *logstore.Store
}

func (f *fixture) open(t *testing.T) {
	t.Helper()
	store, err := logstore.Open(t.Context(), f.backend.Open(t), logstore.Config{
		Logger:  slog.New(slog.DiscardHandler),
		MaxLogs: 8,
		Fatal:   func(err error) { t.Errorf("Fatal(%v)", err) },
	})
	if err != nil {
		t.Fatalf("Open() = %v", err)
	}
	f.store = store
}

func (f *fixture) close(t *testing.T) {
	t.Helper()
	if err := f.store.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
	f.backend.Close(t)
}

func (f *fixture) reopen(t *testing.T) {
	t.Helper()
	f.close(t)
	f.open(t)
}

func (f *fixture) log(t *testing.T, name string) *logstore.Log {
	t.Helper()
	l, err := f.store.Log(t.Context(), logstore.LogID{Service: Service(), Name: name})
	if err != nil {
		t.Fatalf("Log(%q) = %v", name, err)
	}
	return l
}

func add(t *testing.T, l *logstore.Log, payload string) logstore.Receipt {
	t.Helper()
	r, err := l.Append(t.Context(), logstore.AppendRequest{Payload: []byte(payload)})
	if err != nil {
		t.Fatalf("Append(%q) = %v", payload, err)
	}
	return r
}

// texts shows entries as "1.1=a 1.2=b", with a ! before those behind a gap.
func texts(entries []logstore.Entry) string {
	var parts []string
	for _, e := range entries {
		gap := ""
		if e.Gap {
			gap = "!"
		}
		parts = append(parts, fmt.Sprintf("%s%d.%d=%s", gap, e.Place.Incarnation, e.Place.Sequence, e.Payload))
	}
	return strings.Join(parts, " ")
}

func appendAndReopen(t *testing.T, f *fixture) {
	l := f.log(t, "events")
	if got := l.Head(); got != (edgeistry.Head{}) {
		t.Errorf("Head() of an empty log = %+v, want zero", got)
	}
	var prev edgeistry.Hash
	var last logstore.Receipt
	for i, payload := range []string{"a", "", "c"} {
		last = add(t, l, payload)
		at := edgeistry.Place{Incarnation: 1, Sequence: uint32(i + 1)}
		prev = edgeistry.ChainHash(Service().Hint(), "events", at, prev, []byte(payload))
		if last != (logstore.Receipt{Place: at, Hash: prev}) {
			t.Fatalf("Append(%q) = %+v, want %v with hash %x", payload, last, at, prev)
		}
	}
	want := edgeistry.Head{Place: last.Place, Oldest: 1, Hash: last.Hash}
	for range 2 {
		if got := l.Head(); got != want {
			t.Errorf("Head() = %+v, want %+v", got, want)
		}
		entries, err := l.After(t.Context(), edgeistry.Place{}, 10)
		if got := texts(entries); err != nil || got != "1.1=a 1.2= 1.3=c" {
			t.Errorf("After(0.0) = %s, %v", got, err)
		}
		ids, err := f.store.Logs(t.Context())
		if err != nil || len(ids) != 1 || ids[0] != l.ID() || !f.store.Has(l.ID()) {
			t.Errorf("Logs() = %v, %v, want the one log", ids, err)
		}
		f.reopen(t)
		l = f.log(t, "events")
	}
	if got := add(t, l, "d"); got.Place.Sequence != 4 {
		t.Errorf("Append after reopening at %v, want 1.4", got.Place)
	}
}

func rangeEdges(t *testing.T, f *fixture) {
	l := f.log(t, "events")
	for _, p := range []string{"a", "b", "c", "d"} {
		add(t, l, p)
	}
	for _, c := range []struct {
		incarnation, from uint32
		n                 int
		want              string
		kept              bool
	}{
		{1, 1, 10, "1.1=a 1.2=b 1.3=c 1.4=d", true},
		{1, 2, 2, "1.2=b 1.3=c", true},
		{1, 4, 1, "1.4=d", true},
		{1, 5, 1, "", true},
		{1, 1, 0, "", true},
		{1, 1, -1, "", true},
		{1, 6, 1, "", false},
		{1, 0, 1, "", false},
		{0, 1, 1, "", false},
		{2, 1, 1, "", false},
		{1, 1<<32 - 1, 1, "", false},
	} {
		entries, err := l.Read(t.Context(), c.incarnation, c.from, c.n)
		if got := texts(entries); got != c.want || errors.Is(err, logstore.ErrNotKept) == c.kept || c.kept && err != nil {
			t.Errorf("Read(%d, %d, %d) = %s, %v, want %s, kept %v", c.incarnation, c.from, c.n, got, err, c.want, c.kept)
		}
	}
	for _, c := range []struct {
		after edgeistry.Place
		n     int
		want  string
	}{
		{edgeistry.Place{}, 2, "1.1=a 1.2=b"},
		{edgeistry.Place{Incarnation: 1}, 1, "1.1=a"},
		{edgeistry.Place{Incarnation: 1, Sequence: 3}, 9, "1.4=d"},
		{edgeistry.Place{Incarnation: 1, Sequence: 4}, 9, ""},
		{edgeistry.Place{Incarnation: 1, Sequence: 1<<32 - 1}, 9, ""},
		{edgeistry.Place{Incarnation: 9, Sequence: 1}, 9, ""},
		{edgeistry.Place{Sequence: 1<<32 - 1}, 1, "1.1=a"},
	} {
		entries, err := l.After(t.Context(), c.after, c.n)
		if got := texts(entries); err != nil || got != c.want {
			t.Errorf("After(%v, %d) = %s, %v, want %s", c.after, c.n, got, err, c.want)
		}
	}
	entries, err := l.Last(t.Context(), 2)
	if got := texts(entries); err != nil || got != "1.3=c 1.4=d" {
		t.Errorf("Last(2) = %s, %v", got, err)
	}
	entries, err = l.Until(t.Context(), edgeistry.Place{Incarnation: 1, Sequence: 2}, 5)
	if got := texts(entries); err != nil || got != "1.1=a 1.2=b" {
		t.Errorf("Until(1.2, 5) = %s, %v", got, err)
	}
}

func expect(t *testing.T, f *fixture) {
	l := f.log(t, "events")
	try := func(sequence uint32) error {
		_, err := l.Append(t.Context(), logstore.AppendRequest{Payload: []byte("x"), Expect: &sequence})
		return err
	}
	if err := try(0); err != nil {
		t.Fatalf("Append expecting 0 = %v", err)
	}
	var conflict *logstore.ConflictError
	if err := try(0); !errors.As(err, &conflict) || conflict.Head != l.Head() {
		t.Errorf("Append expecting 0 again = %v, want a conflict with the head", err)
	}
	if err := try(1); err != nil {
		t.Errorf("Append expecting 1 = %v", err)
	}
	if got := l.Head().Sequence; got != 2 {
		t.Errorf("head at %d, want 2", got)
	}
}

func producer(t *testing.T, f *fixture) {
	l := f.log(t, "events")
	try := func(producer string, seq uint64, payload string) (logstore.Receipt, error) {
		return l.Append(t.Context(), logstore.AppendRequest{Producer: producer, ProducerSeq: seq, Payload: []byte(payload)})
	}
	first, err := try("a", 5, "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := try("b", 5, "y"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if again, err := try("a", 5, "x"); err != nil || again != first {
			t.Errorf("the same again = %+v, %v, want %+v", again, err, first)
		}
		if _, err := try("a", 5, "other"); !errors.Is(err, logstore.ErrProducer) {
			t.Errorf("the same sequence with another payload = %v, want ErrProducer", err)
		}
		if _, err := try("a", 4, "x"); !errors.Is(err, logstore.ErrProducer) {
			t.Errorf("an older sequence = %v, want ErrProducer", err)
		}
		if got := l.Head().Sequence; got != 2 {
			t.Errorf("head at %d, want 2", got)
		}
		f.reopen(t)
		l = f.log(t, "events")
	}
	if r, err := try("a", 9, "z"); err != nil || r.Place.Sequence != 3 {
		t.Errorf("the next sequence = %+v, %v, want place 3", r, err)
	}
	entries, err := l.Last(t.Context(), 1)
	if err != nil || len(entries) != 1 || entries[0].Producer != "a" || entries[0].ProducerSeq != 9 {
		t.Errorf("Last(1) = %+v, %v, want producer a, 9", entries, err)
	}
}

func manyClients(t *testing.T, f *fixture) {
	const clients, each = 32, 30
	l := f.log(t, "events")
	var wg sync.WaitGroup
	receipts := make([][]logstore.Receipt, clients)
	for c := range clients {
		wg.Go(func() {
			for i := range each {
				r, err := l.Append(t.Context(), logstore.AppendRequest{
					Producer: fmt.Sprint("client", c), ProducerSeq: uint64(i + 1), Payload: fmt.Appendf(nil, "%d/%d", c, i),
				})
				if err != nil {
					t.Errorf("client %d: %v", c, err)
					return
				}
				receipts[c] = append(receipts[c], r)
			}
		})
	}
	wg.Wait()
	f.reopen(t)
	l = f.log(t, "events")
	entries, err := l.After(t.Context(), edgeistry.Place{}, logstore.MaxReadEntries)
	if err != nil || len(entries) != clients*each {
		t.Fatalf("After(0.0) = %d entries, %v, want %d", len(entries), err, clients*each)
	}
	for c, rs := range receipts {
		for i, r := range rs {
			e := entries[r.Place.Sequence-1]
			if want := fmt.Sprintf("%d/%d", c, i); e.Hash != r.Hash || string(e.Payload) != want {
				t.Errorf("entry %v = %s, want %s as acknowledged", r.Place, e.Payload, want)
			}
		}
	}
}

// history is a device's log: chains by incarnation.
type history struct {
	name   string
	chains map[uint32][]string
}

// prev returns the hash before a place.
func (h history) prev(at edgeistry.Place) edgeistry.Hash {
	var hash edgeistry.Hash
	for i, payload := range h.chains[at.Incarnation][:at.Sequence-1] {
		p := edgeistry.Place{Incarnation: at.Incarnation, Sequence: uint32(i + 1)}
		hash = edgeistry.ChainHash(Service().Hint(), h.name, p, hash, []byte(payload))
	}
	return hash
}

// feed mirrors entries from..to of an incarnation.
func (h history) feed(ctx context.Context, l *logstore.Log, incarnation, from, to uint32) (int, error) {
	first := edgeistry.Place{Incarnation: incarnation, Sequence: from}
	var payloads [][]byte
	for _, p := range h.chains[incarnation][from-1 : to] {
		payloads = append(payloads, []byte(p))
	}
	return l.Mirror(ctx, h.prev(first), first, payloads)
}

func mirror(t *testing.T, f *fixture) {
	h := history{"temperature", map[uint32][]string{3: strings.Fields("a b c d e f g h"), 7: strings.Fields("p q r s")}}
	l := f.log(t, h.name)
	for _, step := range []struct {
		incarnation, from, to uint32
		stored                int
	}{
		{3, 2, 3, 2}, // the first was overwritten
		{3, 2, 3, 0}, // again
		{3, 1, 4, 1}, // overlaps at both ends
		{3, 7, 8, 2}, // a gap
		{3, 5, 8, 0}, // what was lost stays lost
		{7, 1, 1, 1}, // restarted
		{7, 3, 4, 2}, // another gap
		{3, 2, 4, 0}, // an old one again
	} {
		if got, err := h.feed(t.Context(), l, step.incarnation, step.from, step.to); err != nil || got != step.stored {
			t.Errorf("Mirror(%d.%d to %d) = %d, %v, want %d", step.incarnation, step.from, step.to, got, err, step.stored)
		}
		f.reopen(t)
		l = f.log(t, h.name)
	}
	const all = "!3.2=b 3.3=c 3.4=d|!3.7=g 3.8=h|7.1=p|!7.3=r 7.4=s"
	var parts []string
	var at edgeistry.Place
	for {
		entries, err := l.After(t.Context(), at, 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 0 {
			break
		}
		parts = append(parts, texts(entries))
		at = entries[len(entries)-1].Place
	}
	if got := strings.Join(parts, "|"); got != all {
		t.Errorf("all = %s, want %s", got, all)
	}
	if got := l.Head(); got.Place != (edgeistry.Place{Incarnation: 7, Sequence: 4}) || got.Oldest != 1 || got.Hash != h.prev(edgeistry.Place{Incarnation: 7, Sequence: 5}) {
		t.Errorf("Head() = %+v", got)
	}
	for _, c := range []struct {
		after edgeistry.Place
		want  string
	}{
		{edgeistry.Place{Incarnation: 3, Sequence: 4}, "!3.7=g 3.8=h"},
		{edgeistry.Place{Incarnation: 3, Sequence: 5}, "!3.7=g 3.8=h"},
		{edgeistry.Place{Incarnation: 3, Sequence: 8}, "7.1=p"},
		{edgeistry.Place{Incarnation: 5, Sequence: 1}, "7.1=p"},
		{edgeistry.Place{Incarnation: 7, Sequence: 2}, "!7.3=r 7.4=s"},
	} {
		entries, err := l.After(t.Context(), c.after, 10)
		if got := texts(entries); err != nil || got != c.want {
			t.Errorf("After(%v) = %s, %v, want %s", c.after, got, err, c.want)
		}
	}
	entries, err := l.Last(t.Context(), 5)
	if got := texts(entries); err != nil || got != "!3.7=g 3.8=h 7.1=p !7.3=r 7.4=s" {
		t.Errorf("Last(5) = %s, %v", got, err)
	}
	for _, from := range []uint32{1, 5, 6, 9} {
		if _, err := l.Read(t.Context(), 3, from, 1); !errors.Is(err, logstore.ErrNotKept) {
			t.Errorf("Read(3, %d) = %v, want ErrNotKept", from, err)
		}
	}
	if !l.Mirrored() {
		t.Error("Mirrored() = false")
	}
}

func mirrorRefuses(t *testing.T, f *fixture) {
	h := history{"temperature", map[uint32][]string{3: strings.Fields("a b c d")}}
	other := history{"temperature", map[uint32][]string{3: strings.Fields("a B c d")}}
	l := f.log(t, h.name)
	if _, err := h.feed(t.Context(), l, 3, 1, 3); err != nil {
		t.Fatal(err)
	}
	var fork *logstore.ForkError
	for _, c := range [][2]uint32{{2, 2}, {1, 4}, {4, 4}, {3, 4}} {
		if n, err := other.feed(t.Context(), l, 3, c[0], c[1]); !errors.As(err, &fork) || n != 0 {
			t.Errorf("Mirror of another history, %d to %d = %d, %v, want a fork", c[0], c[1], n, err)
		}
	}
	if _, err := l.Mirror(t.Context(), edgeistry.Hash{1}, edgeistry.Place{Incarnation: 4, Sequence: 1}, [][]byte{nil}); !errors.As(err, &fork) {
		t.Errorf("Mirror of a first entry with a previous hash = %v, want a fork", err)
	}
	if _, err := l.Append(t.Context(), logstore.AppendRequest{}); !errors.Is(err, logstore.ErrKind) {
		t.Errorf("Append to a mirrored log = %v, want ErrKind", err)
	}
	own := f.log(t, "events")
	add(t, own, "x")
	if _, err := own.Mirror(t.Context(), edgeistry.Hash{}, edgeistry.Place{Incarnation: 1, Sequence: 1}, [][]byte{[]byte("x")}); !errors.Is(err, logstore.ErrKind) {
		t.Errorf("Mirror into an own log = %v, want ErrKind", err)
	}
	for _, first := range []edgeistry.Place{{}, {Incarnation: 1}, {Sequence: 1}, {Incarnation: 9, Sequence: 1<<32 - 1}} {
		if _, err := l.Mirror(t.Context(), edgeistry.Hash{}, first, [][]byte{nil, nil}); err == nil {
			t.Errorf("Mirror at %v = nil, want an error", first)
		}
	}
	if _, err := l.Mirror(t.Context(), edgeistry.Hash{}, edgeistry.Place{Incarnation: 3, Sequence: 1}, make([][]byte, logstore.MaxMirrorEntries+1)); !errors.Is(err, logstore.ErrTooLarge) {
		t.Errorf("Mirror of too many = %v, want ErrTooLarge", err)
	}
	if got := l.Head().Place; got != (edgeistry.Place{Incarnation: 3, Sequence: 3}) {
		t.Errorf("head at %v, want 3.3", got)
	}
}

// mirrorModel mirrors random pieces of a random history and compares with a model in a map.
func mirrorModel(t *testing.T, f *fixture) {
	rng := rand.New(rand.NewPCG(1, 2))
	h := history{"temperature", map[uint32][]string{}}
	var incarnations []uint32
	for i, n := uint32(0), 0; n < 12; n++ {
		i += 1 + uint32(rng.IntN(3))
		for range 1 + rng.IntN(30) {
			h.chains[i] = append(h.chains[i], fmt.Sprint(rng.Uint32()))
		}
		incarnations = append(incarnations, i)
	}
	l := f.log(t, h.name)
	var head edgeistry.Place
	type kept struct {
		payload string
		gap     bool
	}
	model := map[edgeistry.Place]kept{}
	var order []edgeistry.Place
	for _, i := range incarnations {
		length := uint32(len(h.chains[i]))
		for range 6 {
			from := 1 + rng.Uint32N(length)
			to := from + rng.Uint32N(length-from+1)
			want := 0
			for s := from; s <= to; s++ {
				at := edgeistry.Place{Incarnation: i, Sequence: s}
				if i < head.Incarnation || i == head.Incarnation && s <= head.Sequence {
					continue
				}
				expected := uint32(1)
				if i == head.Incarnation {
					expected = head.Sequence + 1
				}
				model[at] = kept{h.chains[i][s-1], s != expected}
				order = append(order, at)
				head = at
				want++
			}
			if got, err := h.feed(t.Context(), l, i, from, to); err != nil || got != want {
				t.Fatalf("Mirror(%d.%d to %d) = %d, %v, want %d", i, from, to, got, err, want)
			}
		}
	}
	f.reopen(t)
	l = f.log(t, h.name)
	var at edgeistry.Place
	for n := 0; ; {
		entries, err := l.After(t.Context(), at, 1+rng.IntN(7))
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 0 {
			if n != len(order) {
				t.Fatalf("%d entries, want %d", n, len(order))
			}
			break
		}
		for _, e := range entries {
			if n >= len(order) || e.Place != order[n] || (kept{string(e.Payload), e.Gap}) != model[e.Place] {
				t.Fatalf("entry %d = %s, want %v %+v", n, texts([]logstore.Entry{e}), order[min(n, len(order)-1)], model[e.Place])
			}
			at = e.Place
			n++
		}
	}
	last, err := l.Last(t.Context(), logstore.MaxReadEntries)
	if err != nil || len(last) != len(order) {
		t.Errorf("Last(all) = %d entries, %v, want %d", len(last), err, len(order))
	}
}

func transaction(t *testing.T, f *fixture) {
	a, b := f.log(t, "a"), f.log(t, "b")
	zero := uint32(0)
	tx := logstore.Transaction{
		Appends: []logstore.Append{
			{Log: a, AppendRequest: logstore.AppendRequest{Payload: []byte("1"), Producer: "p", ProducerSeq: 1}},
			{Log: a, AppendRequest: logstore.AppendRequest{Payload: []byte("2")}},
			{Log: b, AppendRequest: logstore.AppendRequest{Payload: []byte("3"), Expect: &zero}},
		},
		Records: []logstore.Record{{Name: "cursor/x", Value: []byte("c")}},
	}
	receipts, err := f.store.Commit(t.Context(), tx)
	if err != nil || len(receipts) != 3 || receipts[1].Place.Sequence != 2 || receipts[2].Place.Sequence != 1 {
		t.Fatalf("Commit() = %+v, %v", receipts, err)
	}
	tx.Appends[0].ProducerSeq = 2
	tx.Records[0].Value = []byte("d")
	var conflict *logstore.ConflictError
	if _, err := f.store.Commit(t.Context(), tx); !errors.As(err, &conflict) {
		t.Fatalf("Commit() with a conflict = %v", err)
	}
	f.reopen(t)
	a, b = f.log(t, "a"), f.log(t, "b")
	if a.Head().Sequence != 2 || b.Head().Sequence != 1 {
		t.Errorf("heads at %d and %d, want 2 and 1: the refused transaction left a trace", a.Head().Sequence, b.Head().Sequence)
	}
	if got, err := f.store.Get(t.Context(), "cursor/x"); err != nil || string(got) != "c" {
		t.Errorf("Get(cursor/x) = %q, %v, want c", got, err)
	}
	r, err := a.Append(t.Context(), logstore.AppendRequest{Payload: []byte("5"), Producer: "p", ProducerSeq: 2})
	if err != nil || r.Place.Sequence != 3 {
		t.Errorf("Append after the refused transaction = %+v, %v, want place 3", r, err)
	}
}

func records(t *testing.T, f *fixture) {
	for _, name := range []string{"f/b", "f/a", "g/a", "f/c/d"} {
		if err := f.store.Put(t.Context(), name, []byte("value of "+name)); err != nil {
			t.Fatalf("Put(%q) = %v", name, err)
		}
	}
	if err := f.store.Delete(t.Context(), "f/b"); err != nil {
		t.Fatal(err)
	}
	f.reopen(t)
	if got, err := f.store.Get(t.Context(), "f/a"); err != nil || string(got) != "value of f/a" {
		t.Errorf("Get(f/a) = %q, %v", got, err)
	}
	if _, err := f.store.Get(t.Context(), "f/b"); !errors.Is(err, logstore.ErrNotFound) {
		t.Errorf("Get of a deleted record = %v, want ErrNotFound", err)
	}
	names, err := f.store.Records(t.Context(), "f", 10)
	if got := strings.Join(names, " "); err != nil || got != "f/a f/c/d" {
		t.Errorf("Records(f) = %s, %v", got, err)
	}
	for _, name := range []string{"", "/a", "a/", "a//b", "../a", "a/.b", "A", strings.Repeat("a", 129)} {
		if err := f.store.Put(t.Context(), name, nil); err == nil {
			t.Errorf("Put(%q) = nil, want an error", name)
		}
	}
	if err := f.store.Put(t.Context(), "big", make([]byte, logstore.MaxRecord+1)); !errors.Is(err, logstore.ErrTooLarge) {
		t.Errorf("Put of too much = %v, want ErrTooLarge", err)
	}
}

// drop: a dropped log is gone with all it had, now and after the next start; a log made anew under
// its name begins at 1.
func drop(t *testing.T, f *fixture) {
	id := logstore.LogID{Service: Service(), Name: "events"}
	l, other := f.log(t, "events"), f.log(t, "other")
	add(t, other, "stays")
	for batch := range 3 { // more than one chunk
		var tx logstore.Transaction
		for i := range logstore.MaxTransaction {
			r := logstore.AppendRequest{Payload: []byte{1}, Producer: fmt.Sprint("p", i%7), ProducerSeq: uint64(batch*logstore.MaxTransaction + i + 1)}
			tx.Appends = append(tx.Appends, logstore.Append{Log: l, AppendRequest: r})
		}
		if _, err := f.store.Commit(t.Context(), tx); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.store.Drop(t.Context(), id); err != nil {
		t.Fatalf("Drop() = %v", err)
	}
	if err := f.store.Drop(t.Context(), id); err != nil {
		t.Errorf("Drop() of what is gone = %v", err)
	}
	if _, err := l.Append(t.Context(), logstore.AppendRequest{Payload: []byte{1}}); !errors.Is(err, logstore.ErrDropped) {
		t.Errorf("append to a dropped log = %v, want ErrDropped", err)
	}
	if head := l.Head(); head != (edgeistry.Head{}) || f.store.Has(id) {
		t.Errorf("a dropped log has the head %+v", head)
	}
	anew := f.log(t, "events")
	r, err := anew.Append(t.Context(), logstore.AppendRequest{Payload: []byte("first"), Producer: "p0", ProducerSeq: 1})
	if err != nil || r.Place.Sequence != 1 {
		t.Errorf("the log made anew begins at %+v, %v", r.Place, err)
	}
	f.reopen(t)
	entries, err := f.log(t, "events").Last(t.Context(), 10)
	if got := texts(entries); err != nil || got != "1.1=first" {
		t.Errorf("after a start: %q, %v", got, err)
	}
	if entries, err := f.log(t, "other").Last(t.Context(), 10); err != nil || texts(entries) != "1.1=stays" {
		t.Errorf("another log: %q, %v", texts(entries), err)
	}
	if names, err := f.store.Records(t.Context(), "dropping", 10); err != nil || len(names) > 0 {
		t.Errorf("records of the drop are left: %q, %v", names, err)
	}
	// A log that was opened and has no entry takes no place any more.
	f.log(t, "empty")
	if err := f.store.Drop(t.Context(), logstore.LogID{Service: Service(), Name: "empty"}); err != nil {
		t.Error(err)
	}
}

func limits(t *testing.T, f *fixture) {
	l := f.log(t, "events")
	for _, c := range []struct {
		payload, producer int
		ok                bool
	}{
		{logstore.MaxPayload, logstore.MaxProducer, true},
		{logstore.MaxPayload + 1, 0, false},
		{0, logstore.MaxProducer + 1, false},
	} {
		_, err := l.Append(t.Context(), logstore.AppendRequest{Payload: make([]byte, c.payload), Producer: strings.Repeat("p", c.producer)})
		if (err == nil) != c.ok || !c.ok && !errors.Is(err, logstore.ErrTooLarge) {
			t.Errorf("Append of %d bytes by a name of %d = %v, want ok %v", c.payload, c.producer, err, c.ok)
		}
	}
	for _, name := range []string{"", ".a", "A", "a/b", strings.Repeat("a", 32)} {
		if _, err := f.store.Log(t.Context(), logstore.LogID{Service: Service(), Name: name}); err == nil {
			t.Errorf("Log(%q) = nil, want an error", name)
		}
	}
	for i := range 7 {
		f.log(t, fmt.Sprint("log", i))
	}
	if _, err := f.store.Log(t.Context(), logstore.LogID{Service: Service(), Name: "one-more"}); !errors.Is(err, logstore.ErrLimit) {
		t.Errorf("the ninth log = %v, want ErrLimit", err)
	}
	// One read is bounded in bytes, and the rest can still be had.
	for range 20 {
		if _, err := l.Append(t.Context(), logstore.AppendRequest{Payload: make([]byte, logstore.MaxPayload)}); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := l.After(t.Context(), edgeistry.Place{}, 100)
	if err != nil || len(entries) != 16 {
		t.Errorf("After(0.0) of big entries = %d, %v, want 16", len(entries), err)
	}
}

func changed(t *testing.T, f *fixture) {
	l := f.log(t, "events")
	waiting := l.Changed()
	select {
	case <-waiting:
		t.Fatal("Changed() is closed before any append")
	default:
	}
	add(t, l, "a")
	<-waiting
	select {
	case <-l.Changed():
		t.Fatal("the next Changed() is closed already")
	default:
	}
}

func closed(t *testing.T, f *fixture) {
	l := f.log(t, "events")
	add(t, l, "a")
	for range 2 {
		if err := f.store.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	}
	if _, err := l.Append(t.Context(), logstore.AppendRequest{}); !errors.Is(err, logstore.ErrClosed) {
		t.Errorf("Append after Close = %v, want ErrClosed", err)
	}
	if entries, err := l.Last(t.Context(), 1); err != nil || len(entries) != 1 {
		t.Errorf("Last(1) after Close = %v, %v", entries, err)
	}
}
