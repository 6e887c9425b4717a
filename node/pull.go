package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/logstore"
	"github.com/edgeistry/edgeistry/node/keychain"
	"github.com/edgeistry/edgeistry/relay"
)

// pullRecords is where the store keeps which logs of other nodes are copied.
const (
	pullRecords = "pulls"
	maxPulls    = 256
	// maxWaiting bounds the reads that wait at other nodes for news: each takes one of the 64 places that a node gives a peer.
	maxWaiting = 24
)

// pull copies a log that another node is home to into this node's store, under a capability. It resumes at the last stored entry.
type pull struct {
	node *Node
	id   logstore.LogID
	with *capability.Capability

	cancel context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	state   string // "starting", "following", "retrying"
	problem string
	from    string    // peer ID of the home
	failed  time.Time // when problem was met last
}

// storedPull is the record of a pull. The datastore's folder is readable by its owner only, as the keychain is.
type storedPull struct {
	Service    edgeistry.ServiceID `json:"service"`
	Log        string              `json:"log"`
	Capability string              `json:"capability"`
}

func pullRecord(id logstore.LogID) string {
	return pullRecords + "/" + id.Service.String() + "/" + id.Name
}

// restorePulls goes on with the pulls that the store has.
func (n *Node) restorePulls(ctx context.Context) error {
	names, err := n.store.Records(ctx, pullRecords, maxPulls)
	if err != nil {
		return err
	}
	for _, name := range names {
		raw, err := n.store.Get(ctx, name)
		if err != nil {
			return err
		}
		var s storedPull
		if err := json.Unmarshal(raw, &s); err != nil {
			return fmt.Errorf("record %s: %w", name, err)
		}
		c, err := capability.Parse(s.Capability)
		if err != nil {
			return fmt.Errorf("record %s: %w", name, err)
		}
		if err := n.startPull(ctx, logstore.LogID{Service: s.Service, Name: s.Log}, c); err != nil {
			return err
		}
	}
	return nil
}

// addPull keeps a pull and starts it; one of the same log goes on with the new capability.
func (n *Node) addPull(ctx context.Context, id logstore.LogID, with *capability.Capability) error {
	ctx, leave, err := n.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	n.pulling.Lock()
	defer n.pulling.Unlock()
	n.mu.Lock()
	old, count := n.pulls[id], len(n.pulls)
	n.mu.Unlock()
	if old == nil && count >= maxPulls {
		return fmt.Errorf("%d logs are copied from other nodes, the most there may be", count)
	}
	if old != nil && old.with.Text() == with.Text() {
		return nil
	}
	raw, err := json.Marshal(storedPull{Service: id.Service, Log: id.Name, Capability: with.Text()})
	if err != nil {
		return err
	}
	if err := n.store.Put(ctx, pullRecord(id), raw); err != nil {
		return err
	}
	if old != nil {
		old.cancel()
		<-old.done
	}
	return n.startPull(ctx, id, with)
}

func (n *Node) startPull(ctx context.Context, id logstore.LogID, with *capability.Capability) error {
	log, err := n.store.Log(ctx, id)
	if err != nil {
		return err
	}
	p := &pull{node: n, id: id, with: with, done: make(chan struct{}), state: "starting"}
	run, cancel := context.WithCancel(n.ctx)
	p.cancel = cancel
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closing {
		cancel()
		return errStopping
	}
	n.pulls[id] = p
	n.wg.Go(func() { p.run(run, log) })
	return nil
}

// endUnusedPulls ends the copying of logs that no function runs on any more. What was copied stays.
func (n *Node) endUnusedPulls(ctx context.Context) error {
	n.pulling.Lock()
	defer n.pulling.Unlock()
	used := make(map[logstore.LogID]bool)
	for _, f := range n.functions.List() {
		used[f.On] = true
	}
	var unused []*pull
	n.mu.Lock()
	for id, p := range n.pulls {
		if !used[id] {
			unused = append(unused, p)
		}
	}
	n.mu.Unlock()
	for _, p := range unused {
		if _, err := n.store.Commit(ctx, logstore.Transaction{Records: []logstore.Record{{Name: pullRecord(p.id), Delete: true}}}); err != nil {
			return err
		}
		p.cancel()
		<-p.done
		n.mu.Lock()
		delete(n.pulls, p.id)
		n.mu.Unlock()
	}
	return nil
}

// pullForked is the state of a pull whose source has another history than the copy.
const pullForked = "forked"

func isFork(err error) bool {
	var fork *logstore.ForkError
	return errors.As(err, &fork)
}

func (p *pull) forked() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state == pullForked
}

// pulled says whether a log of another node is copied here.
func (n *Node) pulled(id logstore.LogID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.pulls[id] != nil
}

// run follows the log until ctx ends.
func (p *pull) run(ctx context.Context, log *logstore.Log) {
	defer close(p.done)
	defer p.cancel()
	mirror := p.with.Header.Branch == capability.BranchMirror
	f := &follower{service: p.id.Service, name: p.id.Name, log: log, isCopy: true, ask: func(ctx context.Context, m *coap.Message) (*client.Result, error) {
		res, err := p.node.caller.Call(ctx, p.node.via(), p.with, client.Request{Message: m, Mirror: mirror})
		if err == nil && !p.forked() {
			p.note("following", nil)
		}
		return res, err
	}}
	p.greet(ctx, f)
	failures := 0
	for {
		began := time.Now()
		f.wait = p.node.pullWait()
		if failures > 0 { // the home may have another history now, which shows in its first answer
			f.wait = 0
		}
		err := p.node.beginFunctions(ctx, p.id, keychain.Chosen{Capability: p.with})
		stored := 0
		if err == nil {
			stored, err = f.catchUp(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		pause := minPullInterval - time.Since(began) // none after the home has let us wait
		if f.wait == 0 {
			pause = idleFollow
		}
		switch {
		case err == nil:
			failures = 0
			if p.forked() {
				p.note("following", nil)
			}
		case isFork(err):
			failures++
			pause = maxFollowInterval
			p.note(pullForked, err)
		case permanent(err):
			failures++
			pause = maxFollowInterval
			p.note("refused", err)
		case isOver(err):
			failures++
			pause = retryDelay(failures) // without proof: it may be taken back, or be a lie of somebody on the way
			p.note("refused", err)
		default:
			failures++
			pause = retryDelay(failures)
			p.note("retrying", err)
		}
		if failures == 1 {
			p.node.log.Warn("log is not copied from its home", "service", p.id.Service, "log", p.id.Name, "error", err)
		}
		if stored > 0 && err == nil {
			pause = 0
		}
		if !p.rest(ctx, max(pause, 0), failures > 0) {
			return
		}
	}
}

// greet reads once without waiting for news, so that the state of a quiet log is known soon.
func (p *pull) greet(ctx context.Context, f *follower) {
	_, _, _ = f.once(ctx) // its failure shows again in the read that follows
}

// pullWait says how many seconds the home of a log may let this node wait for news.
func (n *Node) pullWait() uint8 {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.pulls) > maxWaiting {
		return 0
	}
	return tailWait
}

// rest waits, after failures no longer than until a home of the service is connected.
func (p *pull) rest(ctx context.Context, pause time.Duration, failed bool) bool {
	until := time.Now().Add(pause)
	there := failed && p.home() != ""
	for {
		left := time.Until(until)
		if left <= 0 {
			return ctx.Err() == nil
		}
		if !wait(ctx, min(left, minPullInterval)) {
			return false
		}
		if failed && !there && p.home() != "" {
			return true
		}
	}
}

// home gives a home of the service that is connected, or "".
func (p *pull) home() string {
	a, ok := p.node.registry.Known(p.id.Service)
	if !ok {
		return ""
	}
	for _, h := range a.Record.Homes {
		if relay.Describe(p.node.host, h.ID).Kind != relay.None {
			return h.ID.String()
		}
	}
	return ""
}

func (p *pull) note(state string, err error) {
	from := p.home()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state, p.problem, p.from, p.failed = state, "", from, time.Time{}
	if err != nil {
		p.problem, p.failed = problemOf(err), time.Now()
	}
}

// isOver reports whether a home said that the capability is over: denied by its list, or of an earlier generation or epoch. It says so
// without proof, since the key that would prove it is over.
func isOver(err error) bool {
	var denied *client.Denied
	if !errors.As(err, &denied) {
		return false
	}
	switch denied.Reason {
	case capability.ReasonDenyListed, capability.ReasonGeneration, capability.ReasonEpoch:
		return true
	}
	return false
}
