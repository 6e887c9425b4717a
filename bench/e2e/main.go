// Bench/e2e measures the way of a reading: from the moment the device says that its log has grown to the moment the cloud has the
// output of its function on disk. Beside it, in the same run, the published baseline's way on this machine. It writes bench/out/e2e.json.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/edgeistry/edgeistry/bench/figures"
	"github.com/edgeistry/edgeistry/e2e/harness"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
)

const (
	periodMS = "200"
	samples  = 150
	chipRuns = 5
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 8*time.Minute)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench-e2e:", err)
		os.Exit(1)
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "edgeistry-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b, err := startBaseline(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	m, err := harness.StartMesh(ctx, harness.Built(".").Edgeistry, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()

	posix, err := viaUDP(ctx, m, dir)
	if err != nil {
		return err
	}
	var base []time.Duration
	for range samples {
		took, err := b.send(ctx, []byte{0, 215})
		if err != nil {
			return err
		}
		base = append(base, took)
	}
	chip, cycles, err := viaSerial(ctx, m, dir)
	if err != nil {
		return err
	}
	how := "device's news on the wire -> edge on disk -> cloud on disk -> function's output on disk, POSIX device on UDP, edge behind a relay, wall time, n=%d; peer: TLS 1.2 RSA-2048 both sides, POST, two fsyncs, answer, n=%d, both on loopback"
	rsa := figures.Quantile(base, 0.5)
	return figures.Write(os.Stdout, "bench/out", "e2e", []figures.Figure{
		figures.Figure{Name: "e2e.device_to_cloud.p50.ms", Value: ms(figures.Quantile(posix, 0.5)), Unit: "ms", How: fmt.Sprintf(how, len(posix), len(base))}.Against("RSA-2048 TLS p50", ms(rsa)),
		figures.Figure{Name: "e2e.device_to_cloud.p99.ms", Value: ms(figures.Quantile(posix, 0.99)), Unit: "ms", How: "the same"}.Against("RSA-2048 TLS p99", ms(figures.Quantile(base, 0.99))),
		{Name: "e2e.avr.device_to_cloud.p50.ms", Value: ms(figures.Quantile(chip, 0.5)), Unit: "ms", How: fmt.Sprintf("the same from the ATmega328P in simavr at real-time pace on a 115,200 baud line, wall time, n=%d", len(chip))},
		{Name: "e2e.avr.read.cycles", Value: cycles, Unit: "cycles", How: "simulated cycles of the chip for the read that carries an entry, median"},
	})
}

// arrivals deploys the function in the cloud on the service's log and gives how long each output took since the device's last news.
func arrivals(ctx context.Context, m *harness.Mesh, service string, news func() []time.Time, n int) ([]time.Duration, error) {
	name := service + "/archive"
	if err := m.Edge.CLI(ctx, "cap", "mint", service, "--mirror", "--read", "temperature", "--save", name).Err(); err != nil {
		return nil, err
	}
	if _, err := m.Edge.Give(ctx, m.Cloud, name); err != nil {
		return nil, err
	}
	to := "smoothed-" + service
	if err := m.Cloud.CLI(ctx, "fn", "deploy", filepath.Join("function", "testdata", "smooth.wasm"), "--name", to, "--on", service+"/temperature", "--to", to, "--window", "4", "--cap", name).Err(); err != nil {
		return nil, err
	}
	h, err := state.Open(m.Cloud.Home)
	if err != nil {
		return nil, err
	}
	client, err := api.Dial(h)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, done := context.WithCancel(ctx)
	defer done()
	var took []time.Duration
	began := time.Now()
	err = client.Tail(ctx, api.ReadRequest{Log: to}, nil, func(api.Entry) error {
		now := time.Now()
		var last time.Time
		for _, t := range news() {
			if t.Before(now) {
				last = t
			}
		}
		// The first outputs are of entries from before the deployment: a backlog, not a reading on its way.
		if last.After(began.Add(time.Second)) {
			took = append(took, now.Sub(last))
		}
		if len(took) == n {
			done()
		}
		return nil
	})
	if len(took) < n {
		return nil, errors.Join(fmt.Errorf("%d outputs, want %d", len(took), n), err)
	}
	return took, nil
}

func viaUDP(ctx context.Context, m *harness.Mesh, dir string) (took []time.Duration, err error) {
	device, err := harness.StartPosixDevice(ctx, harness.Built(".").Posix, dir, "device", periodMS)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, device.Stop()) }()
	tap, err := harness.TapUDP(strings.TrimPrefix(device.Link, "udp:"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tap.Close()) }()
	if err := m.Edge.CLI(ctx, "device", "claim", device.Setup.Text(), "--link", tap.Link, "--name", "shed").Err(); err != nil {
		return nil, err
	}
	return arrivals(ctx, m, "shed", tap.News, samples)
}

func viaSerial(ctx context.Context, m *harness.Mesh, dir string) (took []time.Duration, cycles float64, err error) {
	bin := harness.Built(".")
	chip, err := harness.StartChip(ctx, bin.Sim, bin.Firmware, dir)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, chip.Stop()) }()
	wire, err := harness.Tap(chip.Pty, filepath.Join(dir, "wire.tty"))
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, wire.Close()) }()
	if err := m.Edge.CLI(ctx, "device", "claim", chip.Setup.Text(), "--link", "serial:"+wire.Path, "--name", "greenhouse").Err(); err != nil {
		return nil, 0, err
	}
	if took, err = arrivals(ctx, m, "greenhouse", wire.News, chipRuns); err != nil {
		return nil, 0, err
	}
	events, err := chip.Events("request")
	if err != nil {
		return nil, 0, err
	}
	var reads []time.Duration
	for _, e := range events[max(0, len(events)-chipRuns):] {
		reads = append(reads, time.Duration(e.Cycles))
	}
	return took, float64(figures.Quantile(reads, 0.5)), nil
}
