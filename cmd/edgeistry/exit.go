package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/edgeistry/edgeistry/node/api"
)

// Exit codes. Scripts rely on them; they never change their meaning.
const (
	exitDone     = 0
	exitFailed   = 1
	exitUsage    = 2
	exitNotFound = 3 // not found or not reachable
	exitDenied   = 4
	exitTimeout  = 5

	exitInterrupted = 130 // by Ctrl-C, as shells say it
)

// failure is an error that knows its exit code and what the reader can do about it.
type failure struct {
	code int
	err  error
	try  string // what to do next; printed on a line of its own
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func fail(code int, format string, args ...any) *failure {
	return &failure{code: code, err: fmt.Errorf(format, args...)}
}

func usagef(format string, args ...any) *failure    { return fail(exitUsage, format, args...) }
func notFoundf(format string, args ...any) *failure { return fail(exitNotFound, format, args...) }
func failedf(format string, args ...any) *failure   { return fail(exitFailed, format, args...) }

// Try adds what to do next.
func (f *failure) Try(format string, args ...any) *failure {
	f.try = fmt.Sprintf(format, args...)
	return f
}

// errTimedOut is the cause of the context that --timeout ends.
var errTimedOut = errors.New("timed out")

// exitCode maps an error to what the process tells its caller.
func exitCode(err error) int {
	var f *failure
	var remote *api.Error
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &f):
		return f.code
	case errors.As(err, &remote):
		return remote.Kind.ExitCode()
	case errors.Is(err, errTimedOut), errors.Is(err, context.DeadlineExceeded):
		return exitTimeout
	case errors.Is(err, fs.ErrNotExist):
		return exitNotFound
	}
	return exitFailed
}

// codeName is the stable word for an exit code in --json output; the API uses the same words.
func codeName(code int) string {
	switch code {
	case exitUsage:
		return string(api.Usage)
	case exitNotFound:
		return string(api.NotFound)
	case exitDenied:
		return string(api.Denied)
	case exitTimeout:
		return string(api.Timeout)
	}
	return string(api.Failed)
}

// complaint is an error as it is printed, and the form of it with --json.
type complaint struct {
	Code    string      `json:"code"`
	Exit    int         `json:"exit"`
	Message string      `json:"message"`
	Action  string      `json:"action,omitempty"` // what to do
	Tried   []string    `json:"tried,omitempty"`
	Denial  *api.Denial `json:"denial,omitempty"`
}

// actionMark separates what is wrong from what to do about it in the errors of the packages below.
const actionMark = "; to do: "

func complain(err error) complaint {
	out := complaint{Exit: exitCode(err), Message: strings.TrimSpace(err.Error())}
	out.Code = codeName(out.Exit)
	var remote *api.Error
	if errors.As(err, &remote) {
		out.Tried, out.Denial = remote.Tried, remote.Denial
		// What stands around the node's answer stays, the answer itself is taken apart.
		out.Message = strings.Replace(out.Message, remote.Error(), remote.Message, 1)
		out.Action = remote.Action
	}
	if message, action, found := strings.Cut(out.Message, actionMark); found && !strings.Contains(action, "\n") {
		out.Message, out.Action = message, action
	}
	var f *failure
	if errors.As(err, &f) && f.try != "" {
		out.Action = f.try
	}
	return out
}

// report prints an error once, for people or as one JSON document, on standard error.
func (c *cli) report(err error) {
	out := complain(err)
	if c.json {
		c.writeJSON(c.stderr, map[string]complaint{"error": out})
		return
	}
	c.note("%s", out.Message)
	for _, tried := range out.Tried {
		c.note("tried: %s", tried)
	}
	if out.Action != "" {
		c.note("to do: %s", out.Action)
	}
}
