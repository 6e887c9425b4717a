package node

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/coap/link"
	"github.com/edgeistry/edgeistry/internal/retry"
	"github.com/edgeistry/edgeistry/logstore"
	"github.com/edgeistry/edgeistry/logstore/mirror"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/hosting"
	"github.com/edgeistry/edgeistry/node/keychain"
	"github.com/edgeistry/edgeistry/node/state"
	"github.com/edgeistry/edgeistry/proxy"
)

// readerBranch is the branch of the capability that a home node uses for itself. Its generation can be raised to end it alone.
const readerBranch = 1

const (
	newsPause   = 100 * time.Millisecond // between two reads that a device's news lead to
	clockPeriod = 6 * time.Hour          // after which a device is told the time again
	clockTime   = 5 * time.Second        // for one attempt to set the clock before another request
	deviceTime  = 40 * time.Second       // for one exchange of the node's own with a device, its queue included
	silenceTime = 5 * time.Second        // for which a silent device may keep the link busy with it
)

// device is a device that this node is home to: its link, the copy of its logs, and what is known of its state.
type device struct {
	state.Device
	node *Node
	link *link.Link

	mirror  *hosting.Service // answers for the copies
	telling chan struct{}    // holds one token while somebody sets the clock
	started chan struct{}    // holds one token when the device has started anew

	cancel context.CancelFunc // ends keep; set by follow
	done   chan struct{}      // closed when keep has ended

	mu       sync.Mutex             // guards Name and Reader, too
	logs     []*mirror.Follower     // one for each log of Manifest; replaced, never changed
	offered  uint32                 // the boot in which Manifest was read; 0: before this start of the node
	timer    *capability.Capability // sets the clock; nil: to be minted
	seen     time.Time
	problem  string
	cause    string // of problem, where the device answered: see refusalCause
	boot     uint32
	clockSet time.Time // when it was told the time, in this boot; zero: not yet
	noClock  bool      // it said that it has none

	clockTried   time.Time     // when setting the clock failed last
	clockAhead   time.Duration // by which its clock was ahead of this node's, at least, when they were compared last
	clockBehind  time.Duration
	clockRefused bool // it did not take this node's time from its owner when it was told last
	clockErr     error
}

// newReader mints the capability by which a home node reads a device's logs, and may do nothing else.
func newReader(k *state.ServiceKey) (*capability.Capability, error) {
	return newOwn(k, capability.Grant{Operations: capability.Read | capability.Observe, Prefix: true})
}

// newTimekeeper mints the capability by which a home node sets a device's clock, and may do nothing else.
func newTimekeeper(k *state.ServiceKey) (*capability.Capability, error) {
	return newOwn(k, capability.Grant{Operations: capability.Time})
}

func newOwn(k *state.ServiceKey, grant capability.Grant) (*capability.Capability, error) {
	spec := capability.FrameSpec{Grants: []capability.Grant{grant}}
	frame, err := spec.Encode()
	if err != nil {
		return nil, err
	}
	return newOwnFrame(k, frame)
}

func newOwnFrame(k *state.ServiceKey, frame capability.Frame) (*capability.Capability, error) {
	generation := k.Generations[readerBranch]
	h := capability.Header{Branch: readerBranch, Hint: k.ID.Hint(), Epoch: k.Epoch, Generation: generation}
	if _, err := rand.Read(h.Nonce[:]); err != nil {
		return nil, err
	}
	return capability.Mint(k.ID, k.EpochKey.Branch(k.Epoch, readerBranch, generation), h, frame)
}

// addDevice makes a device reachable through this node. The link is this device's from then on.
func (n *Node) addDevice(ctx context.Context, d state.Device, link *link.Link) (*device, error) {
	ctx, leave, err := n.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	n.keys.Lock()
	defer n.keys.Unlock()
	key, err := n.state.Keys.Get(d.Service)
	if err != nil {
		return nil, err
	}
	out := &device{Device: d, node: n, link: link, telling: make(chan struct{}, 1), started: make(chan struct{}, 1)}
	if out.logs, err = out.followers(ctx, d.Manifest); err != nil {
		return nil, err
	}
	if !out.readerFits(key) { // the node was stopped between the two
		if err := out.renewReader(key); err != nil {
			return nil, err
		}
	}
	cfg := n.hosting(d.Service, out.manifest)
	cfg.AsOf = out.asOf
	if out.mirror, err = hosting.NewMirror(verifying(key), cfg); err != nil {
		return nil, err
	}
	if err := n.proxy.AddDevice(d.Service, d.Manifest, link); err != nil {
		return nil, err
	}
	if err := n.proxy.HostMirror(d.Service, out.mirror); err != nil {
		n.proxy.RemoveDevice(d.Service)
		return nil, err
	}
	n.mu.Lock()
	stopping := n.closing
	if !stopping { // else Close would not close the link
		n.devices[d.Service] = out
	}
	n.mu.Unlock()
	if stopping {
		n.proxy.RemoveDevice(d.Service)
		return nil, errors.Join(errStopping, n.proxy.HostMirror(d.Service, nil))
	}
	return out, nil
}

// followers returns a follower for each log of a manifest: those that the device has, and new ones.
func (d *device) followers(ctx context.Context, m edgeistry.Manifest) ([]*mirror.Follower, error) {
	_, have := d.offer()
	var out []*mirror.Follower
	for _, l := range m.Logs {
		if i := slices.IndexFunc(have, func(f *mirror.Follower) bool { return f.Name() == l.Name }); i >= 0 {
			out = append(out, have[i])
			continue
		}
		log, err := d.node.store.Log(ctx, logstore.LogID{Service: d.Service, Name: l.Name})
		if err != nil {
			return nil, err
		}
		out = append(out, &mirror.Follower{Log: log, Ask: d.ask})
	}
	return out, nil
}

// offer returns what the device offers, and the followers of its logs.
func (d *device) offer() (edgeistry.Manifest, []*mirror.Follower) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.Manifest, d.logs
}

func (d *device) manifest() edgeistry.Manifest {
	m, _ := d.offer()
	return m
}

// renew takes over the present key of the device, as far as it differs from what the device's copy and the node's own capability
// go by.
func (d *device) renew(key *state.ServiceKey) error {
	if d.mirror.Epoch() < key.Epoch {
		if err := d.mirror.SetEpoch(verifying(key)); err != nil {
			return err
		}
	}
	for branch, generation := range key.Generations {
		if d.mirror.Epoch() == key.Epoch && d.mirror.Generation(uint8(branch)) != generation {
			d.mirror.SetGeneration(uint8(branch), generation)
		}
	}
	if d.readerFits(key) {
		return nil
	}
	return d.renewReader(key)
}

// readerFits reports whether the node's own capability is of the present epoch and generation.
func (d *device) readerFits(key *state.ServiceKey) bool {
	h := d.reader().Header
	return h.Epoch == key.Epoch && h.Generation == key.Generations[readerBranch]
}

// renewReader mints the node's own capability of the generation that its branch has now, and keeps it.
func (d *device) renewReader(key *state.ServiceKey) error {
	reader, err := newReader(key)
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.Reader, d.timer = reader, nil
	kept := d.Device
	d.mu.Unlock()
	return d.node.state.Devices.Save(kept)
}

// label returns the device's local name, which a rename changes.
func (d *device) label() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.Name
}

func (d *device) reader() *capability.Capability {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.Reader
}

// restoreDevices opens the links of all devices kept in the home. A device that does not answer does not hold up the node.
func (n *Node) restoreDevices(ctx context.Context) error {
	kept, err := n.state.Devices.All()
	if err != nil {
		return err
	}
	for _, d := range kept {
		link, err := link.Open(d.Link, link.Config{Logger: n.log})
		if err != nil {
			n.log.Error("device cannot be used", "service", d.Service, "error", err)
			continue // one device must not keep the others and the node down
		}
		if _, err := n.addDevice(ctx, d, link); err != nil {
			n.log.Error("device cannot be used", "service", d.Service, "error", errors.Join(err, link.Close()))
		}
	}
	return nil
}

// device returns a device of this node, or nil.
func (n *Node) device(id edgeistry.ServiceID) *device {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.devices[id]
}

// deviceList returns all devices of this node in the order of their names.
func (n *Node) deviceList() []*device {
	n.mu.Lock()
	list := make([]*device, 0, len(n.devices))
	for _, d := range n.devices {
		list = append(list, d)
	}
	n.mu.Unlock()
	slices.SortFunc(list, func(a, b *device) int {
		return strings.Compare(a.label()+"\x00"+a.Service.String(), b.label()+"\x00"+b.Service.String())
	})
	return list
}

// call makes a request of the node's own to the device, and learns from its answer.
func (d *device) call(ctx context.Context, by *client.Caller, with *capability.Capability, m *coap.Message) (*client.Result, error) {
	ctx, cancel := context.WithTimeout(proxy.Patience(ctx, silenceTime), deviceTime)
	defer cancel()
	res, err := by.Call(ctx, d.node.via(), with, client.Request{Message: m})
	d.learn(res, err)
	return res, err
}

// ask is call under the node's own capability.
func (d *device) ask(ctx context.Context, m *coap.Message) (*client.Result, error) {
	return d.call(ctx, d.node.caller, d.reader(), m)
}

// learn keeps what an exchange says about the device: that it answers, and that it has started anew.
func (d *device) learn(res *client.Result, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var denied *client.Denied
	if err == nil || (errors.As(err, &denied) && denied.ByDevice) {
		d.seen, d.problem, d.cause = time.Now(), "", ""
	} else {
		d.problem, d.cause = problemOf(err), ""
	}
	if denied != nil {
		d.cause = refusalCause(denied.Reason)
	}
	if res == nil || !res.Opened || !res.Verdict.Tagged {
		return
	}
	d.bootedLocked(res.Boot)
}

// refusalCause names why a device that answers refuses its home's own capability: its keys are not those that the home has. The refusal
// carries no proof, since the device has no key for one, so it is shown and nothing else.
func refusalCause(reason capability.Reason) string {
	switch reason {
	case capability.ReasonEpoch:
		return "other epoch"
	case capability.ReasonGeneration:
		return "other generation"
	case capability.ReasonUnclaimed:
		return "not claimed"
	}
	return ""
}

// booted takes the boot counter of an answer to a hello, which may be another caller's. It carries no proof: a wrong one costs a look at
// the device.
func (d *device) booted(boot uint32) {
	d.mu.Lock()
	again := d.boot != 0
	anew := d.bootedLocked(boot)
	d.mu.Unlock()
	if anew && again { // its sessions ended with the boot before: a request that acts is refused in them, and is not made anew
		d.node.manager.Forget(d.Service)
		d.node.caller.Forget(d.Service)
	}
}

// bootedLocked begins anew what holds for one boot of the device only. It reports whether this is another boot. The caller holds mu.
func (d *device) bootedLocked(boot uint32) bool {
	if boot == d.boot {
		return false
	}
	d.boot, d.clockSet, d.clockTried = boot, time.Time{}, time.Time{}
	select {
	case d.started <- struct{}{}:
	default:
	}
	return true
}

// deviceBooted is proxy.Config.Booted.
func (n *Node) deviceBooted(id edgeistry.ServiceID, boot uint32) {
	if d := n.device(id); d != nil {
		d.booted(boot)
	}
}

func (d *device) clockDue() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.clockSet.IsZero() || time.Since(d.clockSet) > clockPeriod
}

// clockUnknown reports whether the device has not been told the time since it started.
func (d *device) clockUnknown() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.clockSet.IsZero()
}

// tellTime sets the clock of a device that has started anew, before another request gets to it: a capability that ends some day would be
// denied until then. One attempt is made at a time, and none right after one that failed.
func (d *device) tellTime(ctx context.Context) error {
	if !d.clockUnknown() {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, clockTime, coap.ErrTimeout)
	defer cancel()
	select {
	case d.telling <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-d.telling }()
	for {
		d.mu.Lock()
		boot, known, tried, failed := d.boot, !d.clockSet.IsZero(), d.clockTried, d.clockErr
		d.mu.Unlock()
		if known {
			return nil
		}
		if time.Since(tried) < deliverAgain {
			return failed
		}
		err := d.setClock(ctx)
		if err != nil && ctx.Err() != nil && context.Cause(ctx) == context.Canceled {
			return err // who asked for it has gone; that says nothing of the device
		}
		d.mu.Lock()
		same := d.boot == boot
		if same {
			d.clockTried, d.clockErr = time.Now(), err
		}
		d.mu.Unlock()
		if err == nil || same || ctx.Err() != nil {
			return err
		} // else it was a session of the boot before that refused
	}
}

// keepClock sets the clock of a device that has started anew, or that was told the time long ago.
func (d *device) keepClock(ctx context.Context) error {
	if err := d.node.deliverRevoked(ctx, d.Service); err != nil {
		return err
	}
	if d.clockUnknown() {
		return d.tellTime(ctx)
	}
	return d.setClock(ctx)
}

// timekeeper returns the capability that sets the clock. It is on no disk: the key that it is minted from is.
func (d *device) timekeeper() (*capability.Capability, error) {
	d.mu.Lock()
	timer := d.timer
	d.mu.Unlock()
	if timer != nil {
		return timer, nil
	}
	key, err := d.node.state.Keys.Get(d.Service)
	if err != nil {
		return nil, err
	}
	if timer, err = newTimekeeper(key); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.timer = timer
	return timer, nil
}

// setClock tells the device the time: with a capability for that alone, or, where only the owner may (after more than a day
// without power), with the owner's.
func (d *device) setClock(ctx context.Context) error {
	timer, err := d.timekeeper()
	if err != nil {
		return err
	}
	err = d.postTime(ctx, timer)
	var denied *client.Denied
	if errors.As(err, &denied) && denied.ByDevice && denied.Reason == capability.ReasonTime {
		key, kerr := d.node.state.Keys.Get(d.Service)
		if kerr != nil {
			return kerr
		}
		err = d.postTime(ctx, key.Owner())
		if errors.As(err, &denied) && denied.ByDevice && denied.Reason == capability.ReasonTime {
			// It was told a later time, and keeps to that. doctor says so, and the owner may set it back.
			d.mu.Lock()
			d.clockRefused = true
			d.mu.Unlock()
			_, _, _ = d.compareClock(ctx) // by how much, where it can be told
		}
	}
	return err
}

func (d *device) postTime(ctx context.Context, with *capability.Capability) error {
	m := &coap.Message{Code: coap.CodePOST, Payload: binary.BigEndian.AppendUint32(nil, uint32(time.Now().Unix()))}
	if err := m.SetPath("/t"); err != nil {
		return err
	}
	for tries := 0; ; tries++ {
		d.mu.Lock()
		boot := d.boot
		d.mu.Unlock()
		// The manager's sessions are used by what goes before everything else only, so that this waits for no request that waits for it.
		_, err := d.call(proxy.Foremost(ctx), d.node.manager, with, m)
		var denied *client.Denied
		missing := errors.As(err, &denied) && denied.ByDevice && denied.Reason == capability.ReasonNotFound
		if denied != nil && denied.Unknown && tries < 2 {
			continue // in a session that the device does not know any more; to tell the time twice does no harm
		}
		if err != nil && !missing {
			return err
		}
		d.mu.Lock()
		same := d.boot == boot // else it may have been told before it started anew
		if same {
			d.clockSet, d.noClock, d.clockAhead, d.clockBehind, d.clockRefused = time.Now(), missing, 0, 0, false
		}
		d.mu.Unlock()
		if same {
			return nil
		}
	}
}

// follow starts to keep the copies of a device's logs, unless that was started before.
func (n *Node) follow(d *device) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cancel != nil {
		return
	}
	ctx, cancel := context.WithCancel(n.ctx)
	d.cancel, d.done = cancel, make(chan struct{})
	if !n.spawn(func(context.Context) { defer close(d.done); d.keep(ctx) }) {
		close(d.done)
	}
}

// retire ends what follow started. The link stays open.
func (d *device) retire() {
	d.mu.Lock()
	cancel, done := d.cancel, d.done
	d.mu.Unlock()
	if cancel != nil {
		cancel()
		<-done
	}
}

// keep follows the device until ctx ends: it reads its logs when they are due or the device has news. When the device has started anew,
// it tells it the time and reads again what it offers.
func (d *device) keep(ctx context.Context) {
	due := make(map[*mirror.Follower]time.Time)
	var failures int
	clock, offer := chore{what: "time"}, chore{what: "/.well-known/core"}
	for {
		if _, away := d.node.proxy.Away(d.Service); !away { // else the next read shows when it is back
			clock.do(ctx, d, d.clockDue(), d.keepClock)
			offer.do(ctx, d, d.offerDue(), d.readOffer)
		}
		next := time.Now().Add(max(mirror.MaxInterval, d.node.cfg.MirrorInterval))
		_, logs := d.offer()
		for _, l := range logs {
			if !time.Now().Before(due[l]) {
				due[l] = time.Now().Add(d.read(ctx, l, &failures))
			}
			if due[l].Before(next) {
				next = due[l]
			}
		}
		if len(logs) == 0 {
			failures++
			if err := d.probe(ctx); err == nil {
				failures = 0
			} else if ctx.Err() == nil {
				d.report("requests", err, failures)
			}
			next = time.Now().Add(mirror.Interval(0, d.node.cfg.MirrorInterval))
		}
		if d.clockDue() && clock.again.Before(next) {
			next = clock.again
		}
		if d.offerDue() && offer.again.Before(next) {
			next = offer.again
		}
		if !d.rest(ctx, time.Until(next), due) {
			return
		}
	}
}

// chore is something that the node does for a device once in each boot, and again after a while if it fails.
type chore struct {
	what     string
	failures int
	again    time.Time // not before
}

func (c *chore) do(ctx context.Context, d *device, due bool, f func(context.Context) error) {
	if !due || time.Now().Before(c.again) || ctx.Err() != nil {
		return
	}
	c.failures++
	if err := f(ctx); err == nil {
		c.failures, c.again = 0, time.Time{}
	} else if ctx.Err() == nil {
		d.report(c.what, err, c.failures)
		c.again = time.Now().Add(mirror.Retry.After(c.failures))
	}
}

// probe asks a device without logs for one, so that a new start of it shows. A refusal by the device is an answer, too.
func (d *device) probe(ctx context.Context) error {
	m := &coap.Message{Code: coap.CodeGET}
	if err := m.SetPath("/l/none"); err != nil {
		return err
	}
	_, err := d.ask(ctx, m)
	var denied *client.Denied
	if errors.As(err, &denied) && denied.ByDevice {
		return nil
	}
	return err
}

// read brings the copy of one log up to date and gives the time until it should be done again.
func (d *device) read(ctx context.Context, l *mirror.Follower, failures *int) time.Duration {
	stored, err := 0, d.node.beginFunctions(ctx, logstore.LogID{Service: d.Service, Name: l.Name()}, keychain.Chosen{})
	if err == nil {
		stored, err = l.CatchUp(ctx)
	}
	switch {
	case ctx.Err() != nil:
		return mirror.MaxInterval
	case err == nil:
		*failures = 0
		if stored > 0 {
			d.node.log.Debug("log copied", "service", d.Service, "log", l.Name(), "entries", stored)
		}
		return mirror.Interval(d.period(l.Name()), d.node.cfg.MirrorInterval)
	}
	*failures++
	d.report(l.Name(), err, *failures)
	if mirror.Permanent(err) {
		return mirror.MaxInterval
	}
	return mirror.Retry.After(*failures)
}

// rest waits until the next read is due. When the device has news every log is due, but not sooner than a moment after the read
// before, so that forged news cannot keep the device at work.
func (d *device) rest(ctx context.Context, until time.Duration, due map[*mirror.Follower]time.Time) bool {
	if !retry.Wait(ctx, min(max(until, 0), newsPause)) {
		return false
	}
	t := time.NewTimer(until - newsPause)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
	case <-d.link.News():
		clear(due)
	case <-d.started:
		clear(due)
	}
	return true
}

// asOf returns when the copy of a log was last known to be up to date: in this start of the node, or when its newest entry came.
func (d *device) asOf(log string) time.Time {
	_, logs := d.offer()
	for _, l := range logs {
		if l.Name() != log {
			continue
		}
		if at := l.Current(); !at.IsZero() {
			return at
		}
		if newest, err := d.newest(l.Name()); err == nil && len(newest) == 1 {
			return newest[0].Stored
		}
	}
	return time.Time{}
}

// newest returns the newest stored entry of the copy of a log, if there is one.
func (d *device) newest(log string) ([]logstore.Entry, error) {
	l, err := d.node.store.Log(d.node.ctx, logstore.LogID{Service: d.Service, Name: log})
	if err != nil {
		return nil, err
	}
	return l.Last(d.node.ctx, 1)
}

func (d *device) period(log string) uint32 {
	for _, l := range d.manifest().Logs {
		if l.Name == log {
			return l.Period
		}
	}
	return 0
}

// report logs the first failure of a row as a warning and the rest for those who look closely.
func (d *device) report(what string, err error, failures int) {
	if failures == 1 {
		d.node.log.Warn("device does not serve its home node", "service", d.Service, "name", d.label(), "for", what, "error", err)
		return
	}
	d.node.log.Debug("device still does not serve its home node", "service", d.Service, "for", what, "failures", failures, "error", err)
}

// Devices lists the devices that this node is home to.
func (n *Node) Devices(context.Context) ([]api.Device, error) {
	var out []api.Device
	for _, d := range n.deviceList() {
		out = append(out, d.describe())
	}
	return out, nil
}

// awayText says since when the device has been away; "" if it is not known to be.
func (d *device) awayText() string {
	since, away := d.node.proxy.Away(d.Service)
	if !away {
		return ""
	}
	return "away since " + since.UTC().Format("2006-01-02 15:04:05 UTC")
}

func (d *device) describe() api.Device {
	away := d.awayText()
	d.mu.Lock()
	defer d.mu.Unlock()
	out := api.Device{
		Service: d.Service.String(), Name: d.Name, Link: d.Link, Board: d.Manifest.Board, Firmware: d.Manifest.Firmware,
		Claimed: d.Claimed, Reachable: d.problem == "" && !d.seen.IsZero(), Seen: d.seen, Problem: d.problem, Cause: d.cause, Boot: d.boot, ClockSet: !d.clockSet.IsZero() && !d.noClock,
		ClockRefused: d.clockRefused, ClockAheadS: int(d.clockAhead.Seconds()), ClockBehindS: int(d.clockBehind.Seconds()),
	}
	if away != "" {
		out.Reachable, out.Problem, out.Cause = false, away, ""
	}
	for _, l := range d.logs {
		out.Logs = append(out.Logs, api.LogHead{Name: l.Name(), Head: api.HeadOf(l.Log.Head())})
	}
	return out
}
