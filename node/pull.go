package node

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/logstore"
	"github.com/edgeistry/edgeistry/logstore/mirror"
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

// pull is a log of another node that is copied into this node's store, under a capability.
type pull struct {
	*mirror.Pull
	id     logstore.LogID
	with   *capability.Capability
	cancel context.CancelFunc
	done   chan struct{} // closed when Run has returned
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
	p := &pull{Pull: mirror.NewPull(n.pullConfig(log, with)), id: id, with: with, done: make(chan struct{})}
	run, cancel := context.WithCancel(n.ctx)
	p.cancel = cancel
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closing {
		cancel()
		return errStopping
	}
	n.pulls[id] = p
	n.wg.Go(func() {
		defer close(p.done)
		defer cancel()
		p.Run(run)
	})
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

// pulled reports whether a log of another node is copied here.
func (n *Node) pulled(id logstore.LogID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.pulls[id] != nil
}

// pullConfig returns what a pull asks of this node.
func (n *Node) pullConfig(log *logstore.Log, with *capability.Capability) mirror.Config {
	id := log.ID()
	isMirror := with.Header.Branch == capability.BranchMirror
	return mirror.Config{
		Log: log, Logger: n.log, Wait: n.pullWait, Home: func() string { return n.connectedHome(id.Service) },
		Ask: func(ctx context.Context, m *coap.Message) (*client.Result, error) {
			return n.caller.Call(ctx, n.via(), with, client.Request{Message: m, Mirror: isMirror})
		},
		Begin: func(ctx context.Context) error { return n.beginFunctions(ctx, id, keychain.Chosen{Capability: with}) },
	}
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

// connectedHome names a home of a service that is connected, or returns "".
func (n *Node) connectedHome(id edgeistry.ServiceID) string {
	a, ok := n.registry.Known(id)
	if !ok {
		return ""
	}
	for _, h := range a.Record.Homes {
		if relay.Describe(n.host, h.ID).Kind != relay.None {
			return h.ID.String()
		}
	}
	return ""
}
