package function

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeistry/edgeistry/function/wasm/wasmtest"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/logstore"
	"github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"
)

func logID(name string) logstore.LogID {
	return logstore.LogID{Service: edgeistry.ServiceID{7}, Name: name}
}

// bench is a store with a runtime, both of which can be started again.
type bench struct {
	t       *testing.T
	ds      datastore.Batching
	cfg     Config
	store   *logstore.Store
	runtime *Runtime
}

func newBench(t *testing.T, cfg Config) *bench {
	t.Helper()
	b := &bench{t: t, ds: dssync.MutexWrap(datastore.NewMapDatastore()), cfg: cfg}
	b.cfg.Logger = slog.New(slog.DiscardHandler)
	b.open()
	return b
}

func (b *bench) open() {
	b.t.Helper()
	var err error
	if b.store, err = logstore.Open(b.t.Context(), b.ds, logstore.Config{Logger: b.cfg.Logger}); err != nil {
		b.t.Fatal(err)
	}
	if b.runtime, err = New(b.t.Context(), b.store, b.cfg); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) close() {
	b.t.Helper()
	if err := errors.Join(b.runtime.Close(), b.store.Close()); err != nil {
		b.t.Error(err)
	}
}

func (b *bench) log(name string) *logstore.Log {
	b.t.Helper()
	l, err := b.store.Log(b.t.Context(), logID(name))
	if err != nil {
		b.t.Fatal(err)
	}
	return l
}

func (b *bench) append(name string, payloads ...[]byte) {
	b.t.Helper()
	for _, p := range payloads {
		if _, err := b.log(name).Append(b.t.Context(), logstore.AppendRequest{Payload: p}); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bench) deploy(s Spec) {
	b.t.Helper()
	if err := b.runtime.Deploy(b.t.Context(), s); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) status(name string) Status {
	b.t.Helper()
	for _, s := range b.runtime.List() {
		if s.Name == name {
			return s
		}
	}
	b.t.Fatalf("List() has no %q", name)
	return Status{}
}

// outputs waits until a log has n entries and gives their payloads.
func (b *bench) outputs(name string, n int) []string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 30*time.Second)
	defer cancel()
	for {
		changed := b.log(name).Changed()
		entries, err := b.log(name).After(ctx, edgeistry.Place{}, logstore.MaxReadEntries)
		if err != nil {
			b.t.Fatal(err)
		}
		if len(entries) >= n {
			var texts []string
			for _, e := range entries {
				texts = append(texts, string(e.Payload))
			}
			return texts
		}
		select {
		case <-changed:
		case <-ctx.Done():
			b.t.Fatalf("log %s has %d entries, want %d; %+v", name, len(entries), n, b.runtime.List())
		}
	}
}

// until waits for a status, which lags a little behind the outputs.
func (b *bench) until(name string, reached func(Status) bool) {
	b.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !reached(b.status(name)); runtime.Gosched() {
		if time.Now().After(deadline) {
			b.t.Fatalf("status = %+v", b.status(name))
		}
	}
}

func TestHandlesEachAppendOnceOverRestarts(t *testing.T) {
	b := newBench(t, Config{})
	b.append("in", []byte("before"))
	b.deploy(Spec{Name: "echo", Module: wasmtest.Sample(t, "echo"), On: logID("in"), To: logID("out"), Timeout: time.Second})
	var want []string
	for round := range 5 {
		for i := range 10 {
			payload := fmt.Sprintf("%d/%d", round, i)
			b.append("in", []byte(payload))
			want = append(want, payload)
		}
		if round%2 == 0 {
			b.outputs("out", len(want))
		}
		b.close()
		b.open()
	}
	got := b.outputs("out", len(want))
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("outputs = %v, want %v", got, want)
	}
	entries, err := b.log("out").Last(t.Context(), 1)
	if err != nil || !strings.HasPrefix(entries[0].Producer, "fn/echo/") || entries[0].ProducerSeq != 1<<32|51 {
		t.Errorf("newest output = %+v, %v, want producer fn/echo/..., sequence of entry 1.51", entries, err)
	}
	b.close()
}

func TestFromStartAndWindow(t *testing.T) {
	b := newBench(t, Config{})
	defer b.close()
	b.append("in", wasmtest.Tenths(100), wasmtest.Tenths(200), wasmtest.Tenths(300), wasmtest.Tenths(401))
	b.deploy(Spec{Name: "smooth", Module: wasmtest.Sample(t, "smooth"), On: logID("in"), To: logID("out"), Window: 3, FromStart: true, Timeout: time.Second})
	got := b.outputs("out", 4)
	for i, want := range []int16{100, 150, 200, 300} {
		if got[i] != string(wasmtest.Tenths(want)) {
			t.Errorf("output %d = %x, want %x", i, got[i], wasmtest.Tenths(want))
		}
	}
	// An entry without a reading has no output, and still counts.
	b.append("in", []byte("odd"), []byte("odd"), []byte("odd"), wasmtest.Tenths(7))
	b.outputs("out", 7)
	b.until("smooth", func(s Status) bool { return s.Count == 8 && s.Outputs == 7 && s.Window == 3 && s.State == "running" })
}

// TestCopiedHistoryIsNoNews: a function on a log that is copied here later begins with what came
// after its deployment, however the copy and the knowledge of the head come, and over restarts.
func TestCopiedHistoryIsNoNews(t *testing.T) {
	b := newBench(t, Config{})
	copied := func(from, to int) {
		t.Helper()
		l := b.log("there")
		for i := from; i <= to; i++ {
			h := l.Head()
			if _, err := l.Mirror(t.Context(), h.Hash, edgeistry.Place{Incarnation: 1, Sequence: uint32(i)}, [][]byte{{byte(i)}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	head := edgeistry.Place{Incarnation: 1, Sequence: 5}
	spec := func(name string) Spec {
		return Spec{Name: name, Module: wasmtest.Sample(t, "echo"), Timeout: time.Second, On: logID("there"), To: logID(name)}
	}
	known, unknown := spec("known"), spec("unknown")
	known.After, unknown.AwaitHead = &head, true
	b.deploy(known)
	b.deploy(unknown)
	copied(1, 3)
	b.close()
	b.open()
	if !b.runtime.Awaits(logID("there")) || !strings.HasPrefix(b.status("unknown").State, "waiting") || b.status("known").State != "running" {
		t.Errorf("after a restart: %+v", b.runtime.List())
	}
	copied(4, 5)
	if err := b.runtime.Begin(logID("there"), head); err != nil {
		t.Fatal(err)
	}
	if b.runtime.Awaits(logID("there")) {
		t.Error("it waits for a head that it was told")
	}
	b.close()
	b.open()
	copied(6, 7)
	for _, name := range []string{"known", "unknown"} {
		if got := b.outputs(name, 2); strings.Join(got, "") != "\x06\x07" {
			t.Errorf("%s: outputs %q, want those of the entries after the deployment", name, got)
		}
		b.until(name, func(s Status) bool { return s.Count == 2 && s.State == "running" })
	}
	b.close()
}

func TestFailingHandlerIsRetriedParkedResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{Attempts: 3, Backoff: time.Second})
		b.deploy(Spec{Name: "alarm", Module: wasmtest.Sample(t, "alarm"), On: logID("in"), To: logID("out"), Timeout: time.Second})
		b.deploy(Spec{Name: "echo", Module: wasmtest.Sample(t, "echo"), On: logID("in"), To: logID("copy"), Timeout: time.Second})
		b.append("in", wasmtest.Tenths(350), []byte("bad"), wasmtest.Tenths(360))
		synctest.Wait()
		const failure = "entry 1.2: handler gave error -1"
		for _, want := range []string{"retrying (1 of 3): " + failure, "retrying (2 of 3): " + failure, "parked: " + failure} {
			if s := b.status("alarm"); s.State != want || s.Position.Sequence != 1 || s.Count != 1 || s.LastError != failure {
				t.Errorf("status = %+v, want %s at 1", s, want)
			}
			time.Sleep(2 * time.Second)
			synctest.Wait()
		}
		if got := len(b.outputs("copy", 3)); got != 3 {
			t.Errorf("the other function gave %d outputs, want 3", got)
		}
		if err := b.runtime.Resume(t.Context(), "echo"); err == nil {
			t.Error("Resume of a running function = nil, want an error")
		}

		// It stays parked over a restart, and is parked again if nothing is better.
		b.close()
		b.open()
		synctest.Wait()
		if s := b.status("alarm"); s.State != "parked: "+failure {
			t.Errorf("after a restart %+v", s)
		}
		if err := b.runtime.Resume(t.Context(), "alarm"); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if s := b.status("alarm"); s.State != "parked: "+failure {
			t.Errorf("after Resume %+v", s)
		}
		if err := b.runtime.Skip(t.Context(), "alarm"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if s := b.status("alarm"); s.State != "running" || s.Position.Sequence != 3 || s.Count != 3 || s.Outputs != 2 {
			t.Errorf("after Skip %+v", s)
		}
		if got := b.outputs("out", 2); got[0] != "too warm: 35.0" || got[1] != "too warm: 36.0" {
			t.Errorf("outputs = %q", got)
		}
		b.close()
	})
}

func TestHostileFunctionDoesNotStopOthers(t *testing.T) {
	b := newBench(t, Config{Attempts: 3, Backoff: time.Millisecond})
	defer b.close()
	for _, h := range []struct {
		name, handle string
		timeout      time.Duration
	}{{"spin", wasmtest.Spin + wasmtest.Zero, 20 * time.Millisecond}, {"deep", wasmtest.Get0 + wasmtest.Call(2), 10 * time.Second}, {"grow", wasmtest.Grow + wasmtest.Zero, 20 * time.Millisecond}} {
		b.deploy(Spec{Name: h.name, Module: wasmtest.Module{Handle: h.handle}.Build(), On: logID("in"), To: logID("out-" + h.name), Timeout: h.timeout})
	}
	b.deploy(Spec{Name: "echo", Module: wasmtest.Sample(t, "echo"), On: logID("in"), To: logID("out"), Timeout: time.Second})
	var payloads [][]byte
	for i := range 50 {
		payloads = append(payloads, fmt.Append(nil, i))
	}
	b.append("in", payloads...)
	if got := b.outputs("out", 50); got[49] != "49" {
		t.Errorf("outputs = %q", got)
	}
	for name, want := range map[string]string{
		"spin": "parked: entry 1.1: handler ran longer than 20ms",
		"deep": "parked: entry 1.1: handler trapped: stack overflow",
		"grow": "parked: entry 1.1: handler ran longer than 20ms",
	} {
		b.until(name, func(s Status) bool { return s.State == want })
	}
}

func TestDeployRefuses(t *testing.T) {
	b := newBench(t, Config{MaxDeployments: 3, MaxModules: 1000})
	defer b.close()
	echo := wasmtest.Sample(t, "echo")
	b.deploy(Spec{Name: "a-b", Module: echo, On: logID("a"), To: logID("b")})
	b.deploy(Spec{Name: "b-c", Module: echo, On: logID("b"), To: logID("c")})
	for name, c := range map[string]struct {
		spec Spec
		want string
	}{
		"name":     {Spec{Name: "A", Module: echo, On: logID("x"), To: logID("y")}, "may have"},
		"log":      {Spec{Name: "f", Module: echo, On: logID("x"), To: logID("")}, "must have 1 to 31 characters"},
		"timeout":  {Spec{Name: "f", Module: echo, On: logID("x"), To: logID("y"), Timeout: time.Minute}, "must be 1ms to 10s"},
		"pages":    {Spec{Name: "f", Module: echo, On: logID("x"), To: logID("y"), MemoryPages: 257}, "at most 256"},
		"window":   {Spec{Name: "f", Module: echo, On: logID("x"), To: logID("y"), Window: 65}, "must be 0 to 64"},
		"itself":   {Spec{Name: "f", Module: echo, On: logID("x"), To: logID("x")}, "would never end"},
		"circle":   {Spec{Name: "f", Module: echo, On: logID("c"), To: logID("a")}, "by way of \"a-b\": it would never end"},
		"other on": {Spec{Name: "a-b", Module: echo, On: logID("x"), To: logID("b")}, "remove it first"},
		"size":     {Spec{Name: "f", Module: append(echo, make([]byte, 900)...), On: logID("x"), To: logID("y")}, "bytes in all, at most 1000"},
	} {
		if err := b.runtime.Deploy(t.Context(), c.spec); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Deploy() = %v, want %s", name, err, c.want)
		}
	}
	b.deploy(Spec{Name: "c-d", Module: echo, On: logID("c"), To: logID("d")})
	if err := b.runtime.Deploy(t.Context(), Spec{Name: "f", Module: echo, On: logID("x"), To: logID("y")}); err == nil {
		t.Error("the fourth function of three = nil, want an error")
	}
	for _, err := range []error{b.runtime.Remove(t.Context(), "nobody"), b.runtime.Resume(t.Context(), "nobody"), b.runtime.Skip(t.Context(), "nobody")} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("a function that is not there: %v, want ErrNotFound", err)
		}
	}
}

func TestRedeployGoesOnAndRemoveForgets(t *testing.T) {
	b := newBench(t, Config{})
	b.deploy(Spec{Name: "f", Module: wasmtest.Sample(t, "echo"), On: logID("in"), To: logID("out"), Timeout: time.Second})
	b.append("in", []byte("1"))
	b.outputs("out", 1)
	one := wasmtest.Module{Handle: "\x41\x80\x08\x41\x21\x3a\x00\x00\x41\x01"}.Build() // "!"
	b.deploy(Spec{Name: "f", Module: one, On: logID("in"), To: logID("out"), Timeout: time.Second, FromStart: true})
	b.append("in", []byte("2"))
	if got := strings.Join(b.outputs("out", 2), " "); got != "1 !" {
		t.Errorf("outputs = %s, want 1 !", got)
	}
	if err := b.runtime.Remove(t.Context(), "f"); err != nil {
		t.Fatal(err)
	}
	b.append("in", []byte("3"))
	b.close()
	b.open()
	defer b.close()
	if got := b.runtime.List(); len(got) != 0 {
		t.Errorf("List() after Remove = %+v", got)
	}
	// The same name from the start is a new deployment: its outputs are new ones.
	b.deploy(Spec{Name: "f", Module: wasmtest.Sample(t, "echo"), On: logID("in"), To: logID("out"), Timeout: time.Second, FromStart: true})
	if got := strings.Join(b.outputs("out", 5), " "); got != "1 ! 1 2 3" {
		t.Errorf("outputs = %s, want 1 ! 1 2 3", got)
	}
}

func TestOutputRefusedByItsLogParks(t *testing.T) {
	b := newBench(t, Config{Attempts: 2, Backoff: time.Millisecond})
	defer b.close()
	if _, err := b.log("copy").Mirror(t.Context(), edgeistry.Hash{}, edgeistry.Place{Incarnation: 4, Sequence: 1}, [][]byte{[]byte("x")}); err != nil {
		t.Fatal(err)
	}
	b.deploy(Spec{Name: "f", Module: wasmtest.Sample(t, "echo"), On: logID("in"), To: logID("copy"), Timeout: time.Second})
	b.append("in", []byte("1"))
	b.until("f", func(s Status) bool { return strings.HasPrefix(s.State, "parked: append to ") })
	if s := b.status("f"); s.Position != (edgeistry.Place{}) || s.Count != 0 || b.log("copy").Head().Sequence != 1 {
		t.Errorf("status = %+v, head %+v: the refused output left a trace", s, b.log("copy").Head())
	}
}

func TestBrokenModuleParksAtStart(t *testing.T) {
	b := newBench(t, Config{})
	b.deploy(Spec{Name: "f", Module: wasmtest.Sample(t, "echo"), On: logID("in"), To: logID("out")})
	if err := b.store.Put(t.Context(), recordName("f", "module"), []byte("rubbish")); err != nil {
		t.Fatal(err)
	}
	b.close()
	b.open()
	if s := b.status("f"); s.State != "parked: not a WebAssembly module of version 1" {
		t.Errorf("status = %+v", s)
	}
	if err := b.runtime.Resume(t.Context(), "f"); err == nil {
		t.Error("Resume without a module = nil, want an error")
	}
	b.deploy(Spec{Name: "f", Module: wasmtest.Sample(t, "echo"), On: logID("in"), To: logID("out"), Timeout: time.Second})
	b.append("in", []byte("1"))
	b.outputs("out", 1)
	b.close()
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // fails if a goroutine is left
		b := newBench(t, Config{})
		b.deploy(Spec{Name: "f", Module: wasmtest.Sample(t, "echo"), On: logID("in"), To: logID("out"), Timeout: time.Second})
		b.append("in", []byte("1"), []byte("2"))
		b.outputs("out", 2)
		b.close()
		b.close()
		if err := b.runtime.Deploy(t.Context(), Spec{Name: "g", Module: wasmtest.Sample(t, "echo"), On: logID("in"), To: logID("out")}); err == nil {
			t.Error("Deploy after Close = nil, want an error")
		}
	})
}
