package api

import "time"

// DeployRequest runs a function on every append to a log.
type DeployRequest struct {
	Name   string `json:"name"`
	Module []byte `json:"module"` // WebAssembly
	On     string `json:"on"`     // SERVICE/LOG, or LOG of the node's own service
	To     string `json:"to,omitempty"`
	// Capability reads a log that this node is not home to: "ecap1_...", or a keychain name. It must be of the mirror
	// branch, so that the home node can check it.
	Capability  string `json:"capability,omitempty"`
	TimeoutMS   int    `json:"timeout_ms,omitempty"`
	MemoryPages int    `json:"memory_pages,omitempty"` // of 64 KiB
	Window      int    `json:"window,omitempty"`       // give a run the newest entries, this many
	FromStart   bool   `json:"from_start,omitempty"`   // begin with what the log holds already
	// EvenIfMissing deploys on a log that does not exist yet.
	EvenIfMissing bool `json:"even_if_missing,omitempty"`
}

// FunctionRequest names a deployed function.
type FunctionRequest struct {
	Name string `json:"name"`
}

// Function is a deployed function with its state.
type Function struct {
	Name       string `json:"name"`
	On         string `json:"on"`
	To         string `json:"to,omitempty"`
	Hash       string `json:"hash,omitempty"` // SHA-256 of the module in hex; in the answer to a deployment
	ModuleSize int    `json:"module_size"`    // bytes
	Runs       uint64 `json:"runs"`           // entries handled
	Outputs    uint64 `json:"outputs"`        // entries appended
	Cursor     Head   `json:"cursor"`         // the entry handled last
	State      string `json:"state"`          // "running", "paused", "paused, parked", "waiting", "retrying (2 of 5)", "parked", "stopped"
	Problem    string `json:"problem,omitempty"`
	PullState  string `json:"pull_state,omitempty"` // of the copy of a log of another node: "starting", "following", "retrying", "refused", "forked"
	PullFrom   string `json:"pull_from,omitempty"`  // peer ID
	// PullProblem is why the last attempt to copy failed, and PullFailed when that was; empty while the copy is followed.
	PullProblem string    `json:"pull_problem,omitempty"`
	PullFailed  time.Time `json:"pull_failed,omitzero"`
	TimeoutMS   int       `json:"timeout_ms,omitempty"`
	MemoryPages int       `json:"memory_pages,omitempty"`
	Window      int       `json:"window,omitempty"`
}
