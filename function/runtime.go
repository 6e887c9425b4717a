package function

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/function/wasm"
	"github.com/edgeistry/edgeistry/logstore"
)

// Config tunes a Runtime. The zero value works.
type Config struct {
	Logger         *slog.Logger  // default slog.Default()
	Concurrency    int           // runs at once, over all deployments; default 2
	MaxDeployments int           // default 64
	MaxModules     int           // bytes of all modules together; default 2 MiB (an interpreted module takes some 50 times its size)
	Attempts       int           // runs of one entry before its deployment is parked; default 5
	Backoff        time.Duration // pause after the first failure, doubled after each further one; default 100 ms
}

func (c Config) withDefaults() (Config, error) {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Backoff == 0 {
		c.Backoff = 100 * time.Millisecond
	}
	for _, limit := range []struct {
		value    *int
		standard int
	}{{&c.Concurrency, 2}, {&c.MaxDeployments, 64}, {&c.MaxModules, 2 << 20}, {&c.Attempts, 5}} {
		if *limit.value < 0 || c.Backoff < 0 {
			return c, errors.New("function limits must not be negative")
		}
		if *limit.value == 0 {
			*limit.value = limit.standard
		}
	}
	return c, nil
}

// Errors that a caller tells apart.
var (
	ErrNotFound  = errors.New("no such function")
	ErrRunning   = errors.New("it is neither paused nor parked")
	ErrNotParked = errors.New("it is not parked, so there is no entry to skip")
)

// Runtime runs the deployed handlers of a node. It is safe for concurrent use.
type Runtime struct {
	cfg   Config
	store *logstore.Store
	slots chan struct{} // one for each run under way

	changing sync.Mutex // held over Deploy, Remove, Pause, Resume, Skip, Close: one at a time

	mu          sync.Mutex
	deployments map[string]*deployment
	closed      bool
}

// New starts the deployments that the store has. Close the Runtime before the store.
func New(ctx context.Context, store *logstore.Store, cfg Config) (*Runtime, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &Runtime{
		cfg:         cfg,
		store:       store,
		slots:       make(chan struct{}, cfg.Concurrency),
		deployments: map[string]*deployment{},
	}
	names, err := store.Records(ctx, recordsUnder, 3*cfg.MaxDeployments+1)
	if err != nil {
		return nil, fmt.Errorf("find deployed functions: %w", err)
	}
	if len(names) > 3*cfg.MaxDeployments {
		return nil, fmt.Errorf("more than %d functions are deployed: allow more, or remove some with the limit they were deployed under", cfg.MaxDeployments)
	}
	for _, record := range names {
		name, ok := strings.CutSuffix(strings.TrimPrefix(record, recordsUnder+"/"), "/spec")
		if !ok {
			continue
		}
		if err := r.resume(ctx, name); err != nil {
			_ = r.Close() // it only stops goroutines; the error at hand is the one to tell
			return nil, fmt.Errorf("start function %q: %w", name, err)
		}
	}
	return r, nil
}

// Records of a deployment: functions/NAME/spec, /module and /state.
const recordsUnder = "functions"

func recordName(name, part string) string { return recordsUnder + "/" + name + "/" + part }

// deployed is the spec record.
type deployed struct {
	Spec
	ID string `json:"id"` // new with each first deployment: the producer of its outputs
}

// resume starts one stored deployment. What is wrong with its module parks it; only a store that
// cannot be read is an error.
func (r *Runtime) resume(ctx context.Context, name string) error {
	var dep deployed
	if err := r.load(ctx, recordName(name, "spec"), &dep); err != nil {
		return err
	}
	var st state
	if err := r.load(ctx, recordName(name, "state"), &st); err != nil {
		return err
	}
	module, err := r.store.Get(ctx, recordName(name, "module"))
	if err != nil {
		return err
	}
	dep.Module = module
	spec, err := dep.withDefaults()
	var p *wasm.Program
	if err == nil {
		p, err = wasm.Compile(ctx, spec.Module, spec.limits())
	}
	if err != nil {
		st.Parked, st.Error = true, clip(err)
	}
	dep.Spec = spec
	return r.start(ctx, dep, p, st)
}

func (r *Runtime) load(ctx context.Context, record string, into any) error {
	value, err := r.store.Get(ctx, record)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(value, into); err != nil {
		return fmt.Errorf("record %q: %w", record, err)
	}
	return nil
}

// start begins the goroutine of a deployment.
func (r *Runtime) start(ctx context.Context, dep deployed, p *wasm.Program, st state) error {
	d := &deployment{runtime: r, spec: dep.Spec, id: dep.ID, program: p, state: st, wake: make(chan struct{}, 1), done: make(chan struct{})}
	var err error
	if d.on, err = r.store.Log(ctx, dep.On); err == nil {
		d.to, err = r.store.Log(ctx, dep.To)
	}
	if err != nil {
		var corrupt *logstore.CorruptError
		if !errors.As(err, &corrupt) {
			if p != nil {
				p.Close()
			}
			return err
		}
		d.state.Parked, d.state.Error = true, clip(err)
	}
	run, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	r.mu.Lock()
	r.deployments[dep.Name] = d
	r.mu.Unlock()
	go d.run(run)
	return nil
}

// Deploy checks, stores and starts a function. A name that is deployed already on the same log gets
// the new module and goes on from where it is; on another log it is refused. The error says what is
// wrong with the module.
func (r *Runtime) Deploy(ctx context.Context, spec Spec) error {
	spec, err := spec.withDefaults()
	if err != nil {
		return fmt.Errorf("deploy %.40q: %w", spec.Name, err)
	}
	r.changing.Lock()
	defer r.changing.Unlock()
	old, err := r.admit(spec)
	if err != nil {
		return fmt.Errorf("deploy %q: %w", spec.Name, err)
	}
	p, err := wasm.Compile(ctx, spec.Module, spec.limits())
	if err != nil {
		return fmt.Errorf("deploy %q: %w", spec.Name, err)
	}
	dep, st := deployed{Spec: spec}, state{}
	if old != nil {
		old.stop()
		dep.ID, st = old.id, old.snapshot()
		st.Parked, st.Error, st.Awaiting = false, "", st.Awaiting && !spec.FromStart
	} else {
		switch {
		case spec.AwaitHead:
			st.Awaiting = true
		case spec.After != nil:
			st.Cursor = *spec.After
		case !spec.FromStart:
			on, err := r.store.Log(ctx, spec.On)
			if err != nil {
				p.Close()
				return fmt.Errorf("deploy %q: %w", spec.Name, err)
			}
			st.Cursor = on.Head().Place
		}
		id := make([]byte, 6)
		_, _ = rand.Read(id) // never fails
		dep.ID = hex.EncodeToString(id)
	}
	records := []logstore.Record{{Name: recordName(spec.Name, "module"), Value: spec.Module}}
	for _, part := range []struct {
		name  string
		value any
	}{{"spec", dep}, {"state", st}} {
		value, err := json.Marshal(part.value)
		if err != nil {
			p.Close()
			return fmt.Errorf("deploy %q: %w", spec.Name, err)
		}
		records = append(records, logstore.Record{Name: recordName(spec.Name, part.name), Value: value})
	}
	if _, err := r.store.Commit(context.WithoutCancel(ctx), logstore.Transaction{Records: records}); err != nil {
		p.Close()
		if old != nil {
			old.note("stopped", err)
		}
		return fmt.Errorf("deploy %q: %w", spec.Name, err)
	}
	if err := r.start(ctx, dep, p, st); err != nil {
		return fmt.Errorf("deploy %q: %w", spec.Name, err)
	}
	return nil
}

// Awaits reports whether a function waits to be told where a log stands.
func (r *Runtime) Awaits(on logstore.LogID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.deployments {
		if d.spec.On == on && d.snapshot().Awaiting {
			return true
		}
	}
	return false
}

// Begin sends the head of a log to the functions that wait for it. They begin with the entry after
// it.
func (r *Runtime) Begin(on logstore.LogID, head edgeistry.Place) error {
	r.changing.Lock()
	defer r.changing.Unlock()
	r.mu.Lock()
	var waiting []*deployment
	for _, d := range r.deployments {
		if d.spec.On == on && !r.closed && d.snapshot().Awaiting {
			waiting = append(waiting, d)
		}
	}
	r.mu.Unlock()
	for _, d := range waiting {
		err := d.change(func(st *state) error {
			if st.Awaiting {
				st.Awaiting, st.Cursor = false, head
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("begin function %q: %w", d.spec.Name, err)
		}
	}
	return nil
}

// Renew replaces a log that functions run on: they stop, replace is called, and they wait for Begin
// with the new one.
func (r *Runtime) Renew(on logstore.LogID, replace func() error) error {
	r.changing.Lock()
	defer r.changing.Unlock()
	r.mu.Lock()
	var held []*deployment
	for _, d := range r.deployments {
		if d.spec.On == on && !r.closed {
			held = append(held, d)
		}
	}
	r.mu.Unlock()
	for _, d := range held {
		d.pause()
		st := d.snapshot()
		st.Awaiting = true
		if err := d.save(st, nil); err != nil {
			return fmt.Errorf("renew the log of function %q: %w", d.spec.Name, err)
		}
	}
	err := replace()
	for _, d := range held {
		dep := deployed{Spec: d.spec, ID: d.id}
		if serr := r.start(context.Background(), dep, d.program, d.snapshot()); err == nil {
			err = serr
		}
	}
	return err
}

// admit checks a spec against what is deployed and gives the deployment that it replaces.
func (r *Runtime) admit(spec Spec) (*deployment, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errors.New("runtime is closed")
	}
	old := r.deployments[spec.Name]
	if old != nil && old.spec.On != spec.On {
		return nil, fmt.Errorf("it runs on %s already: remove it first", old.spec.On)
	}
	if old == nil && len(r.deployments) >= r.cfg.MaxDeployments {
		return nil, fmt.Errorf("%d functions are deployed, the most there may be", len(r.deployments))
	}
	size := len(spec.Module)
	for _, d := range r.deployments {
		if d != old {
			size += len(d.spec.Module)
		}
	}
	if size > r.cfg.MaxModules {
		return nil, fmt.Errorf("modules would take %d bytes in all, at most %d", size, r.cfg.MaxModules)
	}
	if by := r.feedsLocked(spec.To, spec.On, old, map[*deployment]bool{}); by != "" {
		return nil, fmt.Errorf("output comes back to its own log by way of %q: it would never end", by)
	}
	return old, nil
}

// feedsLocked reports by which deployment what is appended to from reaches to.
func (r *Runtime) feedsLocked(from, to logstore.LogID, except *deployment, seen map[*deployment]bool) string {
	for _, d := range r.deployments {
		if d == except || seen[d] || d.spec.On != from {
			continue
		}
		seen[d] = true
		if d.spec.To == to || r.feedsLocked(d.spec.To, to, except, seen) != "" {
			return d.spec.Name
		}
	}
	return ""
}

// List returns all deployments, by name.
func (r *Runtime) List() []Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]Status, 0, len(r.deployments))
	for _, d := range r.deployments {
		list = append(list, d.status())
	}
	slices.SortFunc(list, func(a, b Status) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func (r *Runtime) find(name string) (*deployment, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, ok := r.deployments[name]
	if !ok {
		return nil, fmt.Errorf("function %.40q: %w", name, ErrNotFound)
	}
	if r.closed {
		return nil, errors.New("runtime is closed")
	}
	return d, nil
}

// Remove stops a function and forgets it, its position too. Its outputs stay.
func (r *Runtime) Remove(ctx context.Context, name string) error {
	r.changing.Lock()
	defer r.changing.Unlock()
	d, err := r.find(name)
	if err != nil {
		return err
	}
	d.stop()
	var records []logstore.Record
	for _, part := range []string{"spec", "module", "state"} {
		records = append(records, logstore.Record{Name: recordName(name, part), Delete: true})
	}
	if _, err := r.store.Commit(context.WithoutCancel(ctx), logstore.Transaction{Records: records}); err != nil {
		d.note("stopped", err)
		return fmt.Errorf("remove function %q: %w", name, err)
	}
	r.mu.Lock()
	delete(r.deployments, name)
	r.mu.Unlock()
	return nil
}

// Pause stops a function until Resume, across restarts. When it returns, no run is under way;
// entries appended meanwhile wait. A function that is paused already stays so.
func (r *Runtime) Pause(_ context.Context, name string) error {
	return r.change(name, func(d *deployment) error {
		d.pausing.Store(true)
		defer d.pausing.Store(false)
		return d.change(func(st *state) error { st.Paused = true; return nil })
	})
}

// Resume lets a paused function go on, and a parked one try its entry again. ErrRunning: it is
// neither.
func (r *Runtime) Resume(_ context.Context, name string) error {
	return r.change(name, func(d *deployment) error {
		return d.change(func(st *state) error {
			switch {
			case !st.Parked && !st.Paused:
				return ErrRunning
			case st.Parked && !d.usable():
				return fmt.Errorf("it cannot go on: %s", st.Error)
			}
			st.Parked, st.Paused = false, false
			return nil
		})
	})
}

// Skip lets a parked function go on after the entry that it failed on, which it counts as handled
// without output. A paused one stays paused. ErrNotParked: it failed on none.
func (r *Runtime) Skip(ctx context.Context, name string) error {
	return r.change(name, func(d *deployment) error {
		return d.change(func(st *state) error {
			switch {
			case !st.Parked:
				return ErrNotParked
			case !d.usable():
				return fmt.Errorf("it cannot go on: %s", st.Error)
			}
			entries, err := d.on.After(ctx, st.Cursor, 1)
			if err != nil {
				return err
			}
			if len(entries) > 0 {
				st.Cursor = entries[0].Place
				st.Count++
			}
			st.Parked = false
			return nil
		})
	})
}

func (r *Runtime) change(name string, change func(*deployment) error) error {
	r.changing.Lock()
	defer r.changing.Unlock()
	d, err := r.find(name)
	if err != nil {
		return err
	}
	if err := change(d); err != nil {
		return fmt.Errorf("function %q: %w", name, err)
	}
	return nil
}

// Close stops all functions and waits for the runs under way, which it breaks off. It may be called
// twice.
func (r *Runtime) Close() error {
	r.changing.Lock()
	defer r.changing.Unlock()
	r.mu.Lock()
	r.closed = true
	deployments := make([]*deployment, 0, len(r.deployments))
	for _, d := range r.deployments {
		d.cancel()
		deployments = append(deployments, d)
	}
	r.mu.Unlock()
	for _, d := range deployments {
		d.stop()
	}
	return nil
}

// clip bounds an error's text for records and lists.
func clip(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "..."
	}
	return text
}

// state is the state record: all that a deployment needs to go on after a restart.
type state struct {
	Cursor  edgeistry.Place `json:"cursor"`
	Count   uint64          `json:"count"`
	Outputs uint64          `json:"outputs"`
	Error   string          `json:"error,omitempty"`
	Parked  bool            `json:"parked,omitempty"` // it failed on the entry after the cursor
	Paused  bool            `json:"paused,omitempty"` // by Pause
	// Awaiting is set until it is known where the log stood when the function was deployed.
	Awaiting bool `json:"awaiting,omitempty"`
}
