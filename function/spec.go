package function

import (
	"errors"
	"fmt"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/function/wasm"
	"github.com/edgeistry/edgeistry/logstore"
)

// Limits and defaults of a deployment.
const (
	MaxWindow          = 64 // payloads given to a run
	DefaultTimeout     = 100 * time.Millisecond
	MaxTimeout         = 10 * time.Second
	DefaultMemoryPages = 16  // of 64 KiB
	MaxMemoryPages     = 256 // 16 MiB
)

// Spec states what to run, on which log, and where its output goes.
type Spec struct {
	Name        string         `json:"name"`
	Module      []byte         `json:"-"` // WebAssembly 1.0
	On          logstore.LogID `json:"on"`
	To          logstore.LogID `json:"to"`           // a log that this node appends to
	Timeout     time.Duration  `json:"timeout"`      // of one run; default 100 ms
	MemoryPages uint32         `json:"memory_pages"` // of 64 KiB; default 16

	// Window > 0 gives a run the last Window payloads, oldest first, each after its length as u16
	// big-endian. 0 gives the newest payload as it is.
	Window int `json:"window"`

	// FromStart runs the handler on what the log holds already. By default it starts with the next
	// append.
	FromStart bool `json:"from_start"`

	// After is where a copied log stood when the function was deployed, as its home knows it:
	// history that is copied later is no news. nil: the head that the log has in this store. A name
	// that is deployed already keeps its position.
	After *edgeistry.Place `json:"-"`
	// AwaitHead reports that nobody could tell where a copied log stands. The function waits for
	// Begin.
	AwaitHead bool `json:"-"`
}

func (s Spec) withDefaults() (Spec, error) {
	if s.Timeout == 0 {
		s.Timeout = DefaultTimeout
	}
	if s.MemoryPages == 0 {
		s.MemoryPages = DefaultMemoryPages
	}
	if err := edgeistry.CheckName(s.Name); err != nil {
		return s, err
	}
	for _, id := range []logstore.LogID{s.On, s.To} {
		if err := edgeistry.CheckName(id.Name); err != nil {
			return s, fmt.Errorf("log: %w", err)
		}
	}
	switch {
	case len(s.Module) == 0:
		return s, errors.New("no module")
	case len(s.Module) > wasm.MaxModule:
		return s, fmt.Errorf("module of %d bytes, at most %d", len(s.Module), wasm.MaxModule)
	case s.Timeout < time.Millisecond || s.Timeout > MaxTimeout:
		return s, fmt.Errorf("timeout %v must be 1ms to %v", s.Timeout, MaxTimeout)
	case s.MemoryPages > MaxMemoryPages:
		return s, fmt.Errorf("%d memory pages, at most %d", s.MemoryPages, MaxMemoryPages)
	case s.Window < 0 || s.Window > MaxWindow:
		return s, fmt.Errorf("window of %d payloads must be 0 to %d", s.Window, MaxWindow)
	case s.FromStart && (s.After != nil || s.AwaitHead), s.After != nil && s.AwaitHead:
		return s, errors.New("it cannot begin at two places")
	case s.On == s.To:
		return s, errors.New("output goes to the log that it runs on: it would never end")
	}
	return s, nil
}

func (s Spec) limits() wasm.Limits {
	return wasm.Limits{Timeout: s.Timeout, MemoryPages: s.MemoryPages, MaxOutput: logstore.MaxPayload}
}

// Status is the state of a deployment.
type Status struct {
	Name       string          `json:"name"`
	On         logstore.LogID  `json:"on"`
	To         logstore.LogID  `json:"to"`
	State      string          `json:"state"`      // "running", "waiting: ...", "retrying (2 of 5): ...", "parked: ...", "stopped: ..."
	Position   edgeistry.Place `json:"position"`   // of the newest entry handled
	Count      uint64          `json:"count"`      // entries handled
	Outputs    uint64          `json:"outputs"`    // entries appended
	LastError  string          `json:"last_error"` // of the newest failure, also after it was got over
	ModuleSize int             `json:"module_size"`
	Window     int             `json:"window"`
	Timeout    time.Duration   `json:"timeout"`
	Pages      uint32          `json:"memory_pages"`
}
