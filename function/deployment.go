package function

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeistry/edgeistry/function/wasm"
	"github.com/edgeistry/edgeistry/logstore"
)

const (
	stepEntries = 32                    // handled before their outputs are committed together
	stepTime    = 20 * time.Millisecond // and for how long they are gathered at most
)

// deployment is a function at work: one goroutine that follows its log.
type deployment struct {
	runtime *Runtime
	spec    Spec
	id      string
	program *wasm.Program // nil: parked for good, the module is not usable
	on, to  *logstore.Log
	wake    chan struct{} // a change of the state that run should look at
	cancel  context.CancelFunc
	done    chan struct{}
	closing sync.Once
	pausing atomic.Bool // set by Pause: the step under way ends after its present entry

	stepping sync.Mutex // held from the reading of the state to its commit, by whoever changes it

	mu      sync.Mutex
	state   state
	phase   string // "", "retrying (2 of 5)", "stopped"
	attempt int    // failures in a row
}

// pause ends the goroutine and waits for it. The program goes to the deployment that takes this
// one's place.
func (d *deployment) pause() {
	d.cancel()
	<-d.done
}

// stop ends the goroutine, waits for it and frees the program. It may be called twice.
func (d *deployment) stop() {
	d.cancel()
	<-d.done
	d.closing.Do(func() {
		if d.program != nil {
			d.program.Close()
		}
	})
}

// usable reports whether the module and both logs can be used.
func (d *deployment) usable() bool { return d.program != nil && d.on != nil && d.to != nil }

func (d *deployment) snapshot() state {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state
}

func (d *deployment) status() Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	text := "running"
	switch {
	case d.state.Paused:
		text = "paused"
		if d.state.Parked {
			text += ", parked: " + d.state.Error
		}
	case d.state.Awaiting && !d.state.Parked:
		text = "waiting: the home of the log has not said yet where it stands"
	case d.state.Parked:
		text = "parked: " + d.state.Error
	case d.phase != "":
		text = d.phase + ": " + d.state.Error
	}
	return Status{
		Name: d.spec.Name, On: d.spec.On, To: d.spec.To, State: text, Position: d.state.Cursor,
		Count: d.state.Count, Outputs: d.state.Outputs, LastError: d.state.Error, ModuleSize: len(d.spec.Module),
		Window: d.spec.Window, Timeout: d.spec.Timeout, Pages: d.spec.MemoryPages,
	}
}

// run follows the log until ctx ends or the store stops.
func (d *deployment) run(ctx context.Context) {
	defer close(d.done)
	for {
		if st := d.snapshot(); st.Parked || st.Paused || st.Awaiting {
			select {
			case <-d.wake:
				d.note("", nil)
			case <-ctx.Done():
				return
			}
			continue
		}
		changed := d.on.Changed()
		handled, err := d.step(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, logstore.ErrStopped), errors.Is(err, logstore.ErrClosed):
			d.note("stopped", err)
			return
		case err != nil:
			if handled > 0 {
				d.attempt = 0
			}
			if !d.failed(ctx, err) {
				return
			}
		case handled > 0:
			d.attempt = 0
			d.note("", nil)
		default:
			select {
			case <-changed:
			case <-d.wake:
			case <-ctx.Done():
				return
			}
		}
	}
}

// note sets what List shows.
func (d *deployment) note(phase string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.phase = phase
	if err != nil {
		d.state.Error = clip(err)
	}
}

// failed counts a failure: it waits a while, or parks the deployment. It reports whether to go on.
func (d *deployment) failed(ctx context.Context, err error) bool {
	d.attempt++
	most := d.runtime.cfg.Attempts
	if d.attempt < most {
		d.note(fmt.Sprintf("retrying (%d of %d)", d.attempt, most), err)
		pause := time.NewTimer(d.runtime.cfg.Backoff << min(d.attempt-1, 10))
		defer pause.Stop()
		select {
		case <-pause.C:
			return true
		case <-d.wake:
			return true
		case <-ctx.Done():
			return false
		}
	}
	d.runtime.cfg.Logger.Warn("function is parked", "function", d.spec.Name, "log", d.spec.On, "error", err)
	d.attempt = 0
	if err := d.change(func(st *state) error { st.Parked, st.Error = true, clip(err); return nil }); err != nil {
		d.note("stopped", err)
		return false
	}
	return true
}

// step handles the next entries and commits their outputs with the cursor. It gives how many it
// handled, and the error of the first that failed.
func (d *deployment) step(ctx context.Context) (int, error) {
	d.stepping.Lock()
	defer d.stepping.Unlock()
	st := d.snapshot()
	if st.Paused || st.Awaiting {
		return 0, nil
	}
	entries, err := d.on.After(ctx, st.Cursor, stepEntries)
	if err != nil || len(entries) == 0 {
		return 0, err
	}
	var outputs []logstore.Append
	handled := 0
	begin := time.Now()
	for _, e := range entries {
		var output []byte
		if output, err = d.handle(ctx, e); err != nil {
			if ctx.Err() == nil {
				err = fmt.Errorf("entry %d.%d: %w", e.Place.Incarnation, e.Place.Sequence, err)
			}
			break
		}
		if output != nil {
			outputs = append(outputs, logstore.Append{Log: d.to, AppendRequest: logstore.AppendRequest{
				Producer:    "fn/" + d.spec.Name + "/" + d.id,
				ProducerSeq: uint64(e.Place.Incarnation)<<32 | uint64(e.Place.Sequence),
				Payload:     output,
			}})
			st.Outputs++
		}
		st.Cursor = e.Place
		st.Count++
		handled++
		if d.pausing.Load() || time.Since(begin) > stepTime {
			break
		}
	}
	if handled > 0 {
		if err := d.save(st, outputs); err != nil {
			return 0, err
		}
	}
	return handled, err
}

// change commits a change of the state and wakes run. A step under way is waited for. If change
// returns an error, nothing changes.
func (d *deployment) change(change func(*state) error) error {
	d.stepping.Lock()
	defer d.stepping.Unlock()
	st := d.snapshot()
	if err := change(&st); err != nil {
		return err
	}
	if err := d.save(st, nil); err != nil {
		return err
	}
	select {
	case d.wake <- struct{}{}:
	default: // run has not looked since the last change
	}
	return nil
}

// save commits a state, together with outputs. It is not called off: what became of a commit must
// be known.
func (d *deployment) save(st state, outputs []logstore.Append) error {
	value, err := json.Marshal(st)
	if err != nil {
		return err
	}
	if _, err := d.runtime.store.Commit(context.Background(), logstore.Transaction{
		Appends: outputs,
		Records: []logstore.Record{{Name: recordName(d.spec.Name, "state"), Value: value}},
	}); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state = st
	return nil
}

// handle runs the handler on one entry, when one of the runtime's slots is free.
func (d *deployment) handle(ctx context.Context, e logstore.Entry) ([]byte, error) {
	input := e.Payload
	if d.spec.Window > 0 {
		window, err := d.on.Until(ctx, e.Place, d.spec.Window)
		if err != nil {
			return nil, err
		}
		input = nil
		for _, w := range window {
			input = binary.BigEndian.AppendUint16(input, uint16(len(w.Payload)))
			input = append(input, w.Payload...)
		}
	}
	select {
	case d.runtime.slots <- struct{}{}:
		defer func() { <-d.runtime.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return d.program.Run(ctx, input)
}
