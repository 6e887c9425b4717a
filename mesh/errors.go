package mesh

import (
	"fmt"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
)

// HomesError reports that no home of a service can be reached.
type HomesError struct {
	Tried []string // one line for each home; empty: the service's record names none
}

// Summary returns the error without what was tried.
func (e *HomesError) Summary() string {
	if len(e.Tried) == 0 {
		return "the service's record names no home"
	}
	return "no home of the service can be reached"
}

func (e *HomesError) Error() string {
	if len(e.Tried) == 0 {
		return e.Summary()
	}
	return e.Summary() + ": " + strings.Join(e.Tried, "; ")
}

// NodeError reports that a node cannot be reached, or does not answer.
type NodeError struct {
	Node    peer.ID
	Problem string // "is not reachable"
	Unknown bool   // no address of the node is known
	Timeout bool   // it did not answer in time
	Err     error  // may be nil
}

func (e *NodeError) Error() string {
	text := fmt.Sprintf("node %s %s", e.Node, e.Problem)
	if e.Err != nil {
		text += fmt.Sprintf(": %v", e.Err)
	}
	return text
}

func (e *NodeError) Unwrap() error { return e.Err }
