package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Kind sorts errors by what the caller does next. It is "code" in JSON.
type Kind string

// The kinds, with the exit code of the command line and the HTTP status of each in Kind.ExitCode and Kind.Status.
const (
	Failed   Kind = "failed"    // the node could not do it
	Usage    Kind = "usage"     // the request is wrong
	NotFound Kind = "not_found" // no such thing, or not reachable
	Denied   Kind = "denied"    // not permitted
	Timeout  Kind = "timeout"   // no answer in time
)

// ExitCode returns the exit code of a command that ends with this error.
func (k Kind) ExitCode() int {
	switch k {
	case Usage:
		return 2
	case NotFound:
		return 3
	case Denied:
		return 4
	case Timeout:
		return 5
	default:
		return 1
	}
}

// Status returns the HTTP status of this error.
func (k Kind) Status() int {
	switch k {
	case Usage:
		return http.StatusBadRequest
	case NotFound:
		return http.StatusNotFound
	case Denied:
		return http.StatusForbidden
	case Timeout:
		return http.StatusGatewayTimeout
	default:
		return http.StatusInternalServerError
	}
}

// Error is what the API answers instead of a result, as {"error": {...}}.
type Error struct {
	Kind    Kind     `json:"code"`
	Message string   `json:"message"`
	Action  string   `json:"action,omitempty"` // what to do
	Tried   []string `json:"tried,omitempty"`  // what was tried, one line each
	Denial  *Denial  `json:"denial,omitempty"`
	// Head is the log's head when an append expected another one.
	Head *Head `json:"head,omitempty"`

	cause error // what the caller of this package may ask for with errors.Is
}

// Unwrap returns the cause, if this package knows one.
func (e *Error) Unwrap() error { return e.cause }

// Denial says who refused a request, and why.
type Denial struct {
	By         string `json:"by"`       // "device", "node 12D3KooW..."
	Verified   bool   `json:"verified"` // the refusal has a tag that only the service can make
	Reason     uint8  `json:"reason"`   // docs/spec/capability.md, Errors
	Text       string `json:"text"`
	Frame      int    `json:"frame,omitempty"`      // from 1; 0: none named
	Constraint string `json:"constraint,omitempty"` // "BOUND"
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Message)
	for _, t := range e.Tried {
		fmt.Fprintf(&b, "\n  tried %s", t)
	}
	if e.Action != "" {
		fmt.Fprintf(&b, "; to do: %s", e.Action)
	}
	return b.String()
}

// Errorf makes an error of a kind.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// ExitCode returns the exit code for any error: that of its kind, or 1.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind.ExitCode()
	}
	return 1
}

// KindOf returns the kind of any error.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Failed
}

// envelope is the form of an error on the wire, and of the last line of a stream that failed.
type envelope struct {
	Error *Error `json:"error,omitempty"`
}
