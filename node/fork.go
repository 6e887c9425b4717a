package node

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/logstore"
	"github.com/edgeistry/edgeistry/node/api"
)

// AcceptFork lets this node follow a log whose source has another history than the copy here, as after its home was restored from an
// older backup. The copy is kept in a file of the state directory as evidence, and copying begins anew. Functions on the log go on with
// what comes after the present head. A stop in between loses nothing: the fork shows again, and is accepted again.
func (n *Node) AcceptFork(ctx context.Context, r api.ForkRequest) (*api.ForkResult, error) {
	id, err := n.service(r.Service)
	if err != nil {
		return nil, err
	}
	n.pulling.Lock()
	defer n.pulling.Unlock()
	on := logstore.LogID{Service: id, Name: r.Log}
	n.mu.Lock()
	p := n.pulls[on]
	n.mu.Unlock()
	switch {
	case p == nil:
		return nil, api.Errorf(api.NotFound, "%s is not copied from another node", n.logText(on))
	case !p.Forked():
		return nil, api.Errorf(api.Usage, "the copy of %s does not contradict its home", n.logText(on))
	}
	p.cancel()
	<-p.done
	kept, entries, err := n.keepFork(ctx, on)
	if err == nil {
		err = n.functions.Renew(on, func() error { return n.store.Drop(ctx, on) })
	}
	if serr := n.startPull(context.WithoutCancel(ctx), on, p.with); err == nil {
		err = serr
	}
	if err != nil {
		return nil, fmt.Errorf("accept the fork of %s: %w", n.logText(on), err)
	}
	n.log.Warn("a fork is accepted: the log is copied anew", "service", id, "log", r.Log, "kept", kept, "entries", entries)
	return &api.ForkResult{Service: id.String(), Log: r.Log, Kept: kept, Entries: entries}, nil
}

// keepFork writes a log into a file, one entry a line, and returns its path.
func (n *Node) keepFork(ctx context.Context, on logstore.LogID) (path string, entries int, err error) {
	log, err := n.store.Log(ctx, on)
	if err != nil {
		return "", 0, err
	}
	name := fmt.Sprintf("%s-%s-%s.ndjson", on.Service, on.Name, time.Now().UTC().Format("20060102T150405.000000000"))
	path = filepath.Join(n.state.Dir(), "forks", name)
	err = n.state.WriteFork(name, func(line func([]byte) error) error {
		for at := (edgeistry.Place{}); ; {
			part, err := log.After(ctx, at, logstore.MaxReadEntries)
			if err != nil || len(part) == 0 {
				return err
			}
			for _, e := range (&source{}).stored(part) {
				raw, err := json.Marshal(e)
				if err == nil {
					err = line(append(raw, '\n'))
				}
				if err != nil {
					return err
				}
				entries++
			}
			at = part[len(part)-1].Place
		}
	})
	return path, entries, err
}
