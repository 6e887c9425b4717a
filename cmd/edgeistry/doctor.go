package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/config"
	"github.com/edgeistry/edgeistry/node/state"
)

// The states of a finding.
const (
	fine    = "ok"
	warning = "warn"
	broken  = "fail"
)

// finding is one line of doctor's report.
type finding struct {
	Check string `json:"check"`
	State string `json:"state"` // ok, warn, fail
	Text  string `json:"text"`
	Do    string `json:"do,omitempty"`
}

// examination collects what doctor finds.
type examination struct {
	c        *cli
	dir      string
	findings []finding
}

func (x *examination) add(check, state, do, format string, args ...any) {
	x.findings = append(x.findings, finding{check, state, fmt.Sprintf(format, args...), do})
}

func (x *examination) worst() (state string, count int) {
	for _, f := range x.findings {
		if f.State == broken {
			count++
		}
	}
	if count > 0 {
		return broken, count
	}
	return fine, 0
}

func (c *cli) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Find out what is wrong with this node, and what to do",
		Long: `Doctor looks at the home, its permissions, configuration and keys, the ports, the disk, the clock, and the running node with its
peers and devices. It changes nothing. The exit code is 1 if anything fails; a warning does not count.`,
		Example: "  edgeistry doctor\n  edgeistry doctor --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := c.directory()
			if err != nil {
				return err
			}
			x := &examination{c: c, dir: dir}
			ctx, cancel := c.bounded(cmd.Context(), "examining the node")
			defer cancel()
			x.examine(ctx)
			state, count := x.worst()
			err = c.show(struct {
				State    string    `json:"state"`
				Home     string    `json:"home"`
				Findings []finding `json:"findings"`
			}{state, dir, x.findings}, func() {
				for _, f := range x.findings {
					c.printf("%-5s %-12s %s\n", f.State, f.Check, f.Text)
					if f.Do != "" {
						c.printf("%-5s %-12s to do: %s\n", "", "", f.Do)
					}
				}
			})
			if err == nil && count > 0 {
				return failedf("%s failed", one(count, "check", "checks"))
			}
			return err
		},
	}
}

// examine runs the checks in the order in which one rests on the other.
func (x *examination) examine(ctx context.Context) {
	if info, err := os.Stat(x.dir); err != nil || !info.IsDir() {
		x.add("home", broken, "edgeistry init"+x.c.homeFlag(), "%s is not there", x.dir)
		x.clock(time.Time{})
		return
	}
	config := x.config()
	h := x.openHome()
	x.permissions()
	if h != nil {
		x.keys(h)
	}
	x.disk()
	newest := x.newest()
	x.clock(newest)
	if h == nil || config == nil {
		return
	}
	status, running := x.node(ctx, h)
	if !running {
		x.ports(ctx, config)
	}
	if status == nil {
		return
	}
	x.mesh(status, config)
	x.services(status)
	x.functions(ctx, h)
}

// functions finds the functions that get no entries, because the log that they run on is copied from another node and that refuses.
func (x *examination) functions(ctx context.Context, h *state.State) {
	client, err := api.Dial(h)
	if err != nil {
		return // said of the node
	}
	defer client.Close()
	if devices, err := client.Devices(ctx); err == nil {
		x.deviceClocks(devices)
	}
	list, err := client.Functions(ctx)
	if err != nil {
		said := complain(err)
		x.add("functions", broken, said.Action, "%s", said.Message)
		return
	}
	x.pulls(list)
}

func (x *examination) pulls(list []api.Function) {
	good := 0
	for _, f := range list {
		ago := ""
		if !f.PullFailed.IsZero() {
			ago = " " + span(x.c.now().Sub(f.PullFailed)) + " ago"
		}
		switch {
		case f.PullState == "forked":
			x.add("function", broken, "ask the owner whether the home of "+f.On+" was restored from a backup; if so: edgeistry log accept-fork "+f.On, "%s gets no entries: the home of %s has another history than the copy here%s: %s",
				f.Name, f.On, ago, f.PullProblem)
		case f.PullState == "refused":
			x.add("function", broken, "edgeistry fn deploy again with a capability that the owner has not ended", "%s gets no entries: the copy of %s was refused%s: %s",
				f.Name, f.On, ago, f.PullProblem)
		case f.PullProblem != "":
			x.add("function", warning, "check the home node of "+f.On, "%s gets no new entries: the copy of %s failed%s: %s", f.Name, f.On, ago, f.PullProblem)
		default:
			good++
		}
	}
	if good > 0 {
		x.add("functions", fine, "", "%d of %d get their entries", good, len(list))
	}
}

func (x *examination) openHome() *state.State {
	h, err := state.Open(x.dir)
	switch {
	case err == nil:
		x.add("home", fine, "", "%s, node %s", h.Dir(), h.PeerID())
		return h
	case errors.Is(err, state.ErrNoState):
		x.add("home", broken, "edgeistry init"+x.c.homeFlag(), "%s is not the home of a node", x.dir)
	default:
		said := complain(err)
		x.add("home", broken, said.Action, "%s", said.Message)
	}
	return nil
}

func (x *examination) config() *config.Config {
	path := filepath.Join(x.dir, "config.yaml")
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // what is missing is said of the home
	}
	if err != nil {
		x.add("config", broken, "make the file readable", "%v", err)
		return nil
	}
	config, err := config.Parse(raw)
	if err != nil {
		x.add("config", broken, "correct the file", "%s: %v", path, err)
		return nil
	}
	if len(config.Seeds) == 0 && len(config.Relays) == 0 && !config.EnableMDNS {
		x.add("config", fine, "", "mesh %s, no seeds: others join through this node", config.Mesh)
		return &config
	}
	x.add("config", fine, "", "mesh %s, %s", config.Mesh, one(len(config.Seeds), "seed", "seeds"))
	return &config
}

// permissions finds what others on the machine could read.
func (x *examination) permissions() {
	if runtime.GOOS == "windows" {
		return // access there is not in the mode
	}
	var open []string
	err := filepath.WalkDir(x.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(x.dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name == "data" {
				return fs.SkipDir // the datastore's own files; the home itself is closed
			}
			return nil
		}
		if state.IsSecret(name) && info.Mode().Perm()&0o077 != 0 {
			open = append(open, path)
		}
		return nil
	})
	if err != nil {
		x.add("permissions", broken, "run as the user who owns "+x.dir, "%v", err)
		return
	}
	info, err := os.Stat(x.dir)
	switch {
	case len(open) > 0:
		x.add("permissions", broken, "chmod 600 "+strings.Join(open, " "), "others on this machine may read %s", one(len(open), "secret", "secrets"))
	case err == nil && info.Mode().Perm()&0o077 != 0:
		x.add("permissions", warning, "chmod 700 "+x.dir, "others on this machine may look into %s", x.dir)
	default:
		x.add("permissions", fine, "", "only its owner can read the home")
	}
}

// keys reads every key, capability and device.
func (x *examination) keys(h *state.State) {
	keys, keyErr := h.Keys.All()
	entries, chainErr := h.Keychain.All()
	devices, deviceErr := h.Devices.All()
	_, nameErr := h.Names.All()
	if err := errors.Join(keyErr, chainErr, deviceErr, nameErr); err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			message, action, _ := strings.Cut(line, actionMark)
			x.add("keys", broken, action, "%s", message)
		}
		return
	}
	x.add("keys", fine, "", "%s owned, %s, %s",
		one(len(keys)+1, "service", "services"), one(len(entries), "capability", "capabilities"), one(len(devices), "device", "devices"))
}

// Free space below which a node is in danger, in bytes.
const (
	littleSpace = 1 << 30
	noSpace     = 64 << 20
)

func (x *examination) disk() {
	free, ok := freeSpace(x.dir)
	switch {
	case !ok:
	case free < noSpace:
		x.add("disk", broken, "make room: a node that cannot write stops", "%s free", humanize.IBytes(free))
	case free < littleSpace:
		x.add("disk", warning, "make room", "%s free", humanize.IBytes(free))
	default:
		x.add("disk", fine, "", "%s free", humanize.IBytes(free))
	}
}

// newest returns the latest change of a file in the home: the clock cannot be before it.
func (x *examination) newest() (latest time.Time) {
	entries, err := os.ReadDir(x.dir)
	if err != nil {
		return time.Time{}
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.ModTime().After(latest) {
			latest = info.ModTime()
		}
	}
	return latest
}

// earliestClock is a time before which no edgeistry ran.
var earliestClock = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (x *examination) clock(newest time.Time) {
	now := x.c.now()
	switch {
	case now.Before(earliestClock):
		x.add("clock", broken, "set the clock (timedatectl set-ntp true): records and expiries need it", "this machine says %s", stamp(now))
	case now.Add(time.Minute).Before(newest):
		x.add("clock", broken, "set the clock (timedatectl set-ntp true)", "this machine says %s, but the home was changed at %s", stamp(now), stamp(newest))
	default:
		x.add("clock", fine, "", "%s", stamp(now))
	}
}

// node looks for the running node. A node that runs and gives no status holds its ports itself.
func (x *examination) node(ctx context.Context, h *state.State) (status *api.Status, running bool) {
	client, err := api.Dial(h)
	if err == nil {
		defer client.Close()
		err = client.Ready(ctx)
	}
	if err != nil {
		switch api.KindOf(err) {
		case api.NotFound:
			x.add("node", warning, "edgeistry run"+x.c.homeFlag(), "not running")
			return nil, false
		default:
			said := complain(err)
			x.add("node", broken, said.Action, "%s", said.Message)
		}
		return nil, true
	}
	status, err = client.Status(ctx)
	if err != nil {
		said := complain(err)
		x.add("node", broken, said.Action, "%s", said.Message)
		return nil, true
	}
	x.add("node", fine, "", "ready, running for %s, version %s", span(x.c.now().Sub(status.Started)), status.Version)
	if mine := buildInfo().Version; status.Version != mine {
		x.add("version", warning, "restart the node with this binary", "the node runs %s, this is %s", status.Version, mine)
	}
	return status, true
}

// ports tries to take what the node will take.
func (x *examination) ports(ctx context.Context, config *config.Config) {
	taken, own := unusable(ctx, config, x.c.ownPorts(ctx))
	switch {
	case len(taken) > 0:
		x.add("ports", broken, "stop what uses them (ss -lntup), or change config.yaml", "%s", strings.Join(taken, "; "))
	case own:
		x.add("ports", fine, "", "in use by this node")
	default:
		x.add("ports", fine, "", "free")
	}
}

// mesh says how the node stands among others.
func (x *examination) mesh(s *api.Status, config *config.Config) {
	switch {
	case len(s.Peers) > 0:
		relayed := 0
		for _, p := range s.Peers {
			if p.Conn != "direct" {
				relayed++
			}
		}
		text := one(len(s.Peers), "peer", "peers")
		if relayed > 0 {
			text += fmt.Sprintf(", %d of them relayed", relayed)
		}
		x.add("mesh", fine, "", "%s", text)
	case len(s.Seeds) > 0:
		x.add("mesh", broken, "see to the seeds below; the site works without them", "no peer; tried %s", one(len(s.Seeds), "seed", "seeds"))
	case len(config.Seeds) > 0:
		x.add("mesh", broken, "name another node in seeds in config.yaml; edgeistry id there prints its address", "no peer; the only seed is this node itself")
	default:
		x.add("mesh", warning, "edgeistry id says how others join through this node", "no peer, and no seed is configured")
	}
	if s.Twin != nil {
		x.add("identity", broken, "stop one of the two: only one node may run with an identity; make the other a node of its own with edgeistry init",
			"another node runs with this node's identity, at %s, since %s", twinAddr(s.Twin), stamp(s.Twin.Since))
	}
	state := broken
	if len(s.Peers) > 0 {
		state = warning
	}
	for _, seed := range s.Seeds {
		if seed.Problem != "" {
			x.add("seed", state, seedAdvice(seed), "%s: %s", seed.ID, seed.Problem)
		}
	}
	if s.Relay.State == "unreachable" {
		x.add("reach", broken, "a seed or relay with a listening address", "nobody can reach this node: %s", s.Relay.Text)
	} else {
		x.add("reach", fine, "", "%s", orDash(s.Relay.Text))
	}
}

// seedAdvice returns what to do about a seed that is not reached.
func seedAdvice(s api.Seed) string {
	switch s.Cause {
	case "other mesh":
		return "set mesh in config.yaml to the seed's mesh, or name a seed of this mesh"
	case "other node":
		return "the seed has another identity now, or the address is another node's: copy the address that edgeistry id prints there"
	case "not a node", "no service":
		return "check the address and port of the seed in config.yaml: another program answers there"
	case "refused":
		return "check that the seed runs, and its port in config.yaml"
	case "no such host":
		return "check the DNS name in config.yaml, and that this machine can resolve names"
	case "no route":
		return "check this machine's network connection"
	default:
		return "check that the seed runs and that no firewall stands between"
	}
}

// silent names one service that does not serve its home, and the one remedy that its cause has.
func (x *examination) silent(name string, service api.Service) {
	switch service.Cause {
	case "other epoch":
		x.add("service", broken, "restore the newest backup of this node's state; if there is none, reset the device to its factory state and claim it anew",
			"%s answers at %s, but is in a later epoch than this node's key of it", name, service.Link)
	case "other generation":
		x.add("service", broken, "restore the newest backup of this node's state; if there is none: edgeistry cap revoke "+name+"/owner --epoch",
			"%s answers at %s, but knows of a revocation that this node's state has not", name, service.Link)
	case "not claimed":
		x.add("service", broken, "edgeistry device claim SETUP-CODE --link "+service.Link+" --name "+name,
			"%s answers at %s, but was reset to its factory state", name, service.Link)
	default:
		x.add("service", warning, "check its power and its link "+service.Link, "%s does not answer: %s", name, orDash(service.Problem))
	}
}

// services names what does not answer.
func (x *examination) services(s *api.Status) {
	known, answering := 0, 0
	for _, service := range s.Services {
		if service.Reachable == nil {
			continue
		}
		known++
		if *service.Reachable {
			answering++
		} else {
			name := service.Name
			if name == "" {
				name = service.Service
			}
			x.silent(name, service)
		}
	}
	if answering > 0 {
		x.add("services", fine, "", "%d of %d answer", answering, known)
	}
}
