// Bench/node measures nodes as users have them: processes of the built binary in a mesh of three sites, the device a process too. It
// prints a table and writes bench/out/node.json. Every figure stands beside a physical limit or a peer of the same run where there is one.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/bench/figures"
	"github.com/edgeistry/edgeistry/e2e/harness"
	"github.com/edgeistry/edgeistry/logstore"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
)

const (
	starts   = 7
	resolves = 300
	calls    = 1000
	chipRuns = 20
	entry    = 128 // bytes of an appended payload
	appendS  = 3 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 8*time.Minute)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench-node:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "edgeistry-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var all []figures.Figure
	for _, measure := range []func(context.Context, string) ([]figures.Figure, error){mesh, appends} {
		found, err := measure(ctx, dir)
		if err != nil {
			return err
		}
		all = append(all, found...)
	}
	fmt.Printf("%s/%s, %d cores, Go %s\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), strings.TrimPrefix(runtime.Version(), "go"))
	return figures.Write(os.Stdout, "bench/out", "node", all)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
func us(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

func mesh(ctx context.Context, dir string) (out []figures.Figure, err error) {
	bin := harness.Built(".")
	m, err := harness.StartMesh(ctx, bin.Edgeistry, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()

	info, err := os.Stat(bin.Edgeistry)
	if err != nil {
		return nil, err
	}
	out = append(out, figures.Figure{Name: "binary.size.mb", Value: float64(info.Size()) / 1e6, Unit: "MB", How: "make build (stripped)"})

	var ready []time.Duration
	for range starts {
		if err := m.Caller.Stop(); err != nil {
			return nil, err
		}
		took, err := m.Caller.Start(ctx)
		if err != nil {
			return nil, err
		}
		ready = append(ready, took)
	}
	out = append(out, figures.Figure{Name: "start_to_ready.ms", Value: ms(figures.Quantile(ready, 0.5)), Unit: "ms", How: fmt.Sprintf("exec to the ready line, %d starts in a mesh of 3, median", starts)})

	posix, err := harness.StartPosixDevice(ctx, bin.Posix, dir, "device", "1000")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, posix.Stop()) }()
	chip, err := harness.StartChip(ctx, bin.Sim, bin.Firmware, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, chip.Stop()) }()
	ids := map[string]string{}
	for name, dev := range map[string][2]string{"shed": {posix.Setup.Text(), posix.Link}, "greenhouse": {chip.Setup.Text(), "serial:" + chip.Pty}} {
		if err := m.Edge.CLI(ctx, "device", "claim", dev[0], "--link", dev[1], "--name", name).Err(); err != nil {
			return nil, err
		}
		var r api.Resolution
		if err := m.Edge.JSON(ctx, &r, "service", "resolve", name); err != nil {
			return nil, err
		}
		ids[name] = r.Service
		if _, err := m.Edge.Give(ctx, m.Caller, name+"/owner"); err != nil {
			return nil, err
		}
	}
	h, err := state.Open(m.Caller.Home)
	if err != nil {
		return nil, err
	}
	client, err := api.Dial(h)
	if err != nil {
		return nil, err
	}
	defer client.Close()

	if err := harness.Until(ctx, 30*time.Second, func() error { _, err := client.Resolve(ctx, ids["shed"]); return err }); err != nil {
		return nil, err
	}
	var found []time.Duration
	for range resolves {
		r, err := client.Resolve(ctx, ids["shed"])
		if err != nil {
			return nil, err
		}
		if r.From != "dht" {
			return nil, fmt.Errorf("resolved from %q, want the DHT", r.From)
		}
		found = append(found, time.Duration(r.TookMS*float64(time.Millisecond)))
	}
	how := fmt.Sprintf("a lookup in the DHT from the caller, 3 nodes on loopback, n=%d", resolves)
	out = append(out,
		figures.Figure{Name: "resolve.p50.ms", Value: ms(figures.Quantile(found, 0.5)), Unit: "ms", How: how},
		figures.Figure{Name: "resolve.p99.ms", Value: ms(figures.Quantile(found, 0.99)), Unit: "ms", How: how})

	timed, err := callMany(ctx, client, "shed", calls)
	if err != nil {
		return nil, err
	}
	raw, err := rawUDP(2, calls, 64)
	if err != nil {
		return nil, err
	}
	how = fmt.Sprintf("API client -> caller -> relay -> edge -> POSIX device over UDP and back, a session's request, n=%d; peer: a 64 B datagram over as many sockets", calls)
	out = append(out,
		figures.Figure{Name: "call.posix.p50.us", Value: us(figures.Quantile(timed, 0.5)), Unit: "us", How: how}.Against("raw UDP p50", us(figures.Quantile(raw, 0.5))),
		figures.Figure{Name: "call.posix.p99.us", Value: us(figures.Quantile(timed, 0.99)), Unit: "us", How: how}.Against("raw UDP p99", us(figures.Quantile(raw, 0.99))),
		figures.Figure{Name: "udp_ping.p50.us", Value: us(figures.Quantile(raw, 0.5)), Unit: "us", How: "64 B, two forwarders and an echo on loopback"})

	if timed, err = callMany(ctx, client, "greenhouse", chipRuns); err != nil {
		return nil, err
	}
	events, err := chip.Events("request")
	if err != nil {
		return nil, err
	}
	var cycles []time.Duration
	for _, e := range events[max(0, len(events)-chipRuns):] {
		cycles = append(cycles, time.Duration(e.Cycles))
	}
	out = append(out,
		figures.Figure{Name: "call.avr.p50.ms", Value: ms(figures.Quantile(timed, 0.5)), Unit: "ms", How: fmt.Sprintf("caller -> relay -> edge -> ATmega328P on a simulated 115,200 baud line, wall time, n=%d", chipRuns)},
		figures.Figure{Name: "call.avr.device.cycles", Value: float64(figures.Quantile(cycles, 0.5)), Unit: "cycles", How: "simulated cycles at 16 MHz from the message's end to the answer's beginning, median"})

	rss, err := m.Cloud.Process().ResidentMB()
	if err != nil {
		return nil, err
	}
	return append(out, figures.Figure{Name: "idle.rss.mb", Value: rss, Unit: "MB", How: "VmRSS of the cloud node, which relays, at the end of this run"}), nil
}

// callMany turns the valve n times in one session, after a first call that opens it.
func callMany(ctx context.Context, client *api.Client, service string, n int) ([]time.Duration, error) {
	req := api.CallRequest{Service: service, Method: "POST", Path: "/f/valve", Payload: []byte{20}, Capability: service + "/owner"}
	var samples []time.Duration
	for i := range n + 1 {
		began := time.Now()
		r, err := client.Call(ctx, req)
		if err == nil {
			err = r.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("call %d of %s: %w", i, service, err)
		}
		if i > 0 {
			samples = append(samples, time.Since(began))
		}
	}
	return samples, nil
}

// appends measures acknowledged appends in the process that holds the store, beside raw writes with fdatasync on the same disk.
func appends(ctx context.Context, dir string) (out []figures.Figure, err error) {
	path := filepath.Join(dir, "store")
	ds, closer, err := logstore.OpenPebble(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	store, err := logstore.Open(ctx, ds, logstore.Config{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	raw, err := rawSync(dir, appendS, entry)
	if err != nil {
		return nil, err
	}
	for _, clients := range []int{1, 64} {
		log, err := store.Log(ctx, logstore.LogID{Service: edgeistry.ServiceID{1}, Name: fmt.Sprintf("bench%d", clients)})
		if err != nil {
			return nil, err
		}
		perSecond, err := appendFor(ctx, log, clients)
		if err != nil {
			return nil, err
		}
		out = append(out, figures.Figure{Name: fmt.Sprintf("append.durable.%d.per_s", clients), Value: perSecond, Unit: "1/s", How: fmt.Sprintf("%d B, acknowledged after the sync, %d clients, %v, pebble", entry, clients, appendS)}.Against("write + fdatasync, 1 client", raw))
	}
	return append(out, figures.Figure{Name: "fdatasync.1.per_s", Value: raw, Unit: "1/s", How: fmt.Sprintf("%d B write + fdatasync, one at a time, same disk", entry)}), nil
}

func appendFor(ctx context.Context, log *logstore.Log, clients int) (float64, error) {
	var wg sync.WaitGroup
	counts, errs := make([]int, clients), make([]error, clients)
	began := time.Now()
	for i := range clients {
		wg.Go(func() {
			payload := make([]byte, entry)
			for time.Since(began) < appendS {
				if _, errs[i] = log.Append(ctx, logstore.AppendRequest{Payload: payload}); errs[i] != nil {
					return
				}
				counts[i]++
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	total := 0
	for _, n := range counts {
		total += n
	}
	return float64(total) / took.Seconds(), errors.Join(errs...)
}
