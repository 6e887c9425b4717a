package harness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// tailLines is how much of a log an error shows.
const tailLines = 15

// Process is a running program whose lines of output go to a log file and to whoever waits for one.
type Process struct {
	Name string
	Log  string // path of the log file

	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended and its output is read

	mu      sync.Mutex
	lines   []string
	changed chan struct{} // closed and replaced at each line
	err     error
}

// Start runs argv with its output in dir/name.log. The process is killed if this program dies (Linux).
func Start(dir, name string, env []string, argv ...string) (*Process, error) {
	p := &Process{Name: name, Log: filepath.Join(dir, name+".log"), done: make(chan struct{}), changed: make(chan struct{})}
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = childAttr()
	out, in := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = in, in
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), log.Close())
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		p.read(io.TeeReader(out, log))
	}()
	go func() {
		defer close(p.done)
		err := p.cmd.Wait()
		_ = in.Close()
		<-read
		_ = log.Close()
		p.mu.Lock()
		p.err = err
		p.mu.Unlock()
	}()
	return p, nil
}

func (p *Process) read(r io.Reader) {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 64<<10), 1<<20)
	for s.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, s.Text())
		close(p.changed)
		p.changed = make(chan struct{})
		p.mu.Unlock()
	}
	_, _ = io.Copy(io.Discard, r) // a line too long for the scanner must not stop the process
}

// Mark is a place in a process's output: lines before it are not looked at again.
func (p *Process) Mark() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.lines)
}

// Wait returns the submatches of the first line after mark that matches.
func (p *Process) Wait(ctx context.Context, mark int, pattern string) ([]string, error) {
	re := regexp.MustCompile(pattern)
	for {
		p.mu.Lock()
		changed := p.changed
		for ; mark < len(p.lines); mark++ {
			if m := re.FindStringSubmatch(p.lines[mark]); m != nil {
				p.mu.Unlock()
				return m, nil
			}
		}
		p.mu.Unlock()
		select {
		case <-changed:
		case <-p.done:
			return nil, p.failure(fmt.Sprintf("ended before it said %q", pattern))
		case <-ctx.Done():
			return nil, p.failure(fmt.Sprintf("did not say %q in time", pattern))
		}
	}
}

// Since returns the lines after mark that match.
func (p *Process) Since(mark int, pattern string) []string {
	re := regexp.MustCompile(pattern)
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []string
	for _, line := range p.lines[mark:] {
		if re.MatchString(line) {
			found = append(found, line)
		}
	}
	return found
}

// PID is the process ID.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// ResidentMB is the resident memory of the process, in MB (Linux).
func (p *Process) ResidentMB() (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		return 0, fmt.Errorf("%s has gone: %w", p.Name, err)
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			return kb / 1000, err
		}
	}
	return 0, fmt.Errorf("%s has no VmRSS", p.Name)
}

// Kill ends the process as a power cut would: SIGKILL, and waits until it is gone.
func (p *Process) Kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", p.Name, err)
	}
	<-p.done
	return nil
}

// Stop asks the process to end (SIGTERM) and kills it if it has not after 10 s; that is an error.
func (p *Process) Stop() error {
	select {
	case <-p.done:
		return nil
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return p.Kill()
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(10 * time.Second):
		return errors.Join(p.failure("did not end within 10 s of SIGTERM"), p.Kill())
	}
}

// Tail is the end of the process's log.
func (p *Process) Tail() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines[max(0, len(p.lines)-tailLines):], "\n")
}

func (p *Process) failure(what string) error {
	return fmt.Errorf("%s %s; the end of its log (%s):\n%s", p.Name, what, p.Log, p.Tail())
}
