package harness

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/edgeistry/edgeistry/node/api"
)

// Mesh is three sites on one machine: a cloud that others can dial and that relays, an edge with no listening address, which is
// reached only through the cloud, and a caller, also without one.
type Mesh struct {
	Cloud, Edge, Caller *Node
	StartToReady        time.Duration // of the cloud
}

// StartMesh makes the homes under dir and runs the nodes.
func StartMesh(ctx context.Context, binary, dir string) (*Mesh, error) {
	m := &Mesh{}
	var err error
	if m.Cloud, err = NewNode(ctx, binary, dir, "cloud", "--mesh", "demo", "--listen", "/ip4/127.0.0.1/tcp/0", "--listen", "/ip4/127.0.0.1/udp/0/quic-v1"); err != nil {
		return nil, err
	}
	if m.StartToReady, err = m.Cloud.Start(ctx); err != nil {
		return nil, err
	}
	var status api.Status
	if err := m.Cloud.JSON(ctx, &status, "status"); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	for _, addr := range status.Addrs {
		if strings.Contains(addr, "/ip4/127.0.0.1/tcp/") {
			m.Cloud.Seed = addr
			if !strings.Contains(addr, "/p2p/") {
				m.Cloud.Seed += "/p2p/" + status.Node
			}
		}
	}
	if m.Cloud.Seed == "" {
		return nil, errors.Join(fmt.Errorf("the cloud tells no TCP address, only %v", status.Addrs), m.Close())
	}
	for _, site := range []struct {
		node **Node
		name string
	}{{&m.Edge, "edge"}, {&m.Caller, "caller"}} {
		n, err := NewNode(ctx, binary, dir, site.name, "--mesh", "demo", "--seed", m.Cloud.Seed, "--no-listen")
		if err == nil {
			*site.node = n
			_, err = n.Start(ctx)
		}
		if err != nil {
			return nil, errors.Join(err, m.Close())
		}
	}
	return m, nil
}

// Close ends the nodes.
func (m *Mesh) Close() error {
	var errs []error
	for _, n := range []*Node{m.Caller, m.Edge, m.Cloud} {
		if n != nil {
			errs = append(errs, n.Stop())
		}
	}
	return errors.Join(errs...)
}

// Until calls check every 100 ms until it gives no error, and gives its last error if that takes longer than limit.
func Until(ctx context.Context, limit time.Duration, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("not within %v: %w", limit, err)
		}
	}
}

// Binaries are the built parts, under the repository's build folder.
type Binaries struct {
	Edgeistry, Sim, Posix string
	Firmware              string // the greenhouse for the ATmega328P, with a reading every 2 s instead of every 10 s
	LX106, CortexM3       Machine
}

// Built returns the parts as the Makefile builds them.
func Built(root string) Binaries {
	in := func(name string) string { return filepath.Join(root, "build", name) }
	return Binaries{
		Edgeistry: in("edgeistry"), Sim: in("firmware/edg-sim"), Firmware: in("firmware/greenhouse-atmega328p-2s.elf"), Posix: in("firmware/greenhouse-posix"),
		LX106:    Machine{[]string{"qemu-system-xtensa", "-M", "lx60-nommu", "-cpu", "lx106"}, in("firmware/greenhouse-lx106.elf")},
		CortexM3: Machine{[]string{"qemu-system-arm", "-M", "lm3s6965evb"}, in("firmware/greenhouse-cortexm3.elf")},
	}
}
