package node

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/logstore"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/keychain"
)

const (
	defaultEntries = 10
	maxEntries     = 10_000
	tailBatch      = 64
	tailWait       = 20               // seconds that another node may let a reader wait for news
	tailIdle       = 30 * time.Second // after which a quiet stream gets an empty line, so that a gone reader shows
)

// Append appends to a log: of the node's own service directly, of another by a request under a capability.
func (n *Node) Append(ctx context.Context, r api.AppendRequest) (*api.Receipt, error) {
	t, err := n.target(r.Service)
	if err != nil {
		return nil, err
	}
	if t.id != n.state.Keys.Own().ID || r.Capability != "" || r.Private {
		return n.appendThere(ctx, t, r)
	}
	l, err := n.logOf(ctx, t.id, r.Log)
	if err != nil {
		return nil, err
	}
	receipt, err := l.Append(ctx, logstore.AppendRequest{Producer: r.Producer, ProducerSeq: r.ProducerSeq, Payload: r.Payload, Expect: r.Expect})
	if err != nil {
		return nil, err
	}
	return &api.Receipt{Incarnation: receipt.Place.Incarnation, Sequence: receipt.Place.Sequence, Hash: hex.EncodeToString(receipt.Hash[:])}, nil
}

func (n *Node) appendThere(ctx context.Context, t target, r api.AppendRequest) (*api.Receipt, error) {
	if r.Producer != "" || r.Expect != nil {
		return nil, api.Errorf(api.Usage, "producer and expect work on logs of the node's own service only")
	}
	res, err := n.call(ctx, t, api.CallRequest{Method: "POST", Path: "/l/" + r.Log, Payload: r.Payload, Capability: r.Capability, Proof: r.Proof})
	if err != nil {
		return nil, err
	}
	if err := res.Err(); err != nil {
		return nil, err
	}
	if len(res.Payload) != 8 {
		return nil, api.Errorf(api.Failed, "the receipt has %d bytes, want 8", len(res.Payload))
	}
	return &api.Receipt{Incarnation: binary.BigEndian.Uint32(res.Payload), Sequence: binary.BigEndian.Uint32(res.Payload[4:])}, nil
}

// source is where a log is read from: this node's store, or a service.
type source struct {
	node   *Node
	target target
	log    string
	local  *logstore.Log // nil: ask the service
	with   keychain.Chosen
	mirror bool
	by     string
	wait   uint8 // seconds that another node may let this reader wait for news; 0: a device is asked, which answers at once

	away string    // why the service did not answer, the last time it was asked
	asOf time.Time // when the copy was last known to be up to date; zero: not known
}

// sourceOf decides how a log is read: from the store if it is the node's own, or a copy of another node's; the logs of a device that
// this node is home to from the copy if the mirror was asked for, or to be followed; else by requests.
func (n *Node) sourceOf(ctx context.Context, t target, r api.ReadRequest, follow bool) (*source, error) {
	id := t.id
	if err := edgeistry.CheckName(r.Log); err != nil {
		return nil, api.Errorf(api.Usage, "%v", err)
	}
	if r.Count < 0 || r.Last < 0 || r.Count > maxEntries || r.Last > maxEntries {
		return nil, api.Errorf(api.Usage, "count and last must be 0 to %d", maxEntries)
	}
	if r.Last > 0 && (r.From > 0 || r.Count > 0) {
		return nil, api.Errorf(api.Usage, "last excludes from and count")
	}
	if r.Direct && (r.Mirror || r.Check) {
		return nil, api.Errorf(api.Usage, "direct excludes mirror and check")
	}
	s := &source{node: n, target: t, log: r.Log, mirror: r.Mirror}
	logID := logstore.LogID{Service: id, Name: r.Log}
	own := id == n.state.Keys.Own().ID
	if r.Capability == "" && !r.Direct && !r.Private && (own || ((r.Mirror || follow) && n.offers(id, r.Log)) || n.pulled(logID)) {
		if own && !n.store.Has(logID) && !n.awaited(logID) {
			return nil, api.Errorf(api.NotFound, "the node has no log %q yet; an append makes it", r.Log)
		}
		s.by = "this node"
		var err error
		s.local, err = n.logOf(ctx, id, r.Log)
		return s, err
	}
	var err error
	if s.with, err = n.chain().Prove(proofOf(r.Capability, r.Proof), id, r.Mirror); err != nil {
		return nil, err
	}
	s.mirror = s.mirror || s.with.Header.Branch == capability.BranchMirror
	switch {
	case s.mirror:
		s.by, s.wait = "mirror", tailWait
	case n.isNodeService(id):
		s.by, s.wait = "node", tailWait
	default:
		s.by = "device"
	}
	return s, nil
}

// offers reports whether a device of this node has a log of that name, or had one whose copy is here.
func (n *Node) offers(id edgeistry.ServiceID, log string) bool {
	d := n.device(id)
	return d != nil && (hasLog(d.manifest().Logs, log) || n.store.Has(logstore.LogID{Service: id, Name: log}))
}

// awaited reports whether a function will write the log.
func (n *Node) awaited(id logstore.LogID) bool {
	for _, f := range n.functions.List() {
		if f.To == id {
			return true
		}
	}
	return false
}

func (s *source) head(ctx context.Context) (edgeistry.Head, error) {
	if s.local != nil {
		return s.local.Head(), nil
	}
	res, err := s.ask(ctx, coap.Query{})
	if err != nil {
		return edgeistry.Head{}, err
	}
	return coap.DecodeHead(res)
}

// ask makes one read request and gives the proven payload.
func (s *source) ask(ctx context.Context, q coap.Query) ([]byte, error) {
	m := &coap.Message{Code: coap.CodeGET}
	if err := m.SetPath("/l/" + s.log); err != nil {
		return nil, api.Errorf(api.Usage, "%v", err)
	}
	m.SetQuery(q)
	n := s.node
	s.away = ""
	began := time.Now()
	res, err := n.caller.Call(ctx, n.via(), s.with.Capability, s.with.Request(m, s.mirror))
	if err == nil {
		if etag, ok := res.Response.GetUint(coap.OptionETag); ok && s.mirror {
			s.asOf = time.Unix(int64(etag), 0)
		}
		return res.Response.Payload, nil
	}
	s.away = awayText(err)
	if res == nil {
		out, err := n.callFailed(s.target, err, time.Since(began))
		if err != nil {
			return nil, err
		}
		return nil, out.Err()
	}
	return nil, n.callResult(s.target.id, s.with, m, res, err).Err()
}

// read returns the entries that a request names.
func (s *source) read(ctx context.Context, r api.ReadRequest, head edgeistry.Head) ([]api.Entry, error) {
	if r.From == 0 && r.Count == 0 && r.Incarnation == 0 {
		return s.last(ctx, r.Last, head)
	}
	incarnation, from, count := r.Incarnation, max(r.From, 1), r.Count
	if incarnation == 0 {
		incarnation = head.Incarnation
	}
	if r.From == 0 && incarnation == head.Incarnation {
		from = max(head.Oldest, 1)
	}
	if count == 0 {
		count = defaultEntries
		if r.From > 0 {
			count = maxEntries
		}
	}
	var out []api.Entry
	for len(out) < count {
		part, err := s.part(ctx, incarnation, from, count-len(out), r.Incarnation != 0)
		if err != nil {
			if len(out) > 0 && errors.Is(err, logstore.ErrNotKept) {
				return out, nil // a gap: the rest is asked for on its own
			}
			return nil, err
		}
		if len(part) == 0 {
			return out, nil
		}
		out = append(out, part...)
		from = part[len(part)-1].Sequence + 1
		if from == 0 || (incarnation == head.Incarnation && from > head.Sequence) {
			return out, nil
		}
	}
	return out, nil
}

// last returns the newest n entries.
func (s *source) last(ctx context.Context, n int, head edgeistry.Head) ([]api.Entry, error) {
	if n == 0 {
		n = defaultEntries
	}
	if s.local != nil {
		entries, err := s.local.Last(ctx, n)
		return s.stored(entries), err
	}
	if head.Sequence == 0 {
		return nil, nil
	}
	from := max(int64(head.Sequence)-int64(n)+1, int64(head.Oldest), 1)
	return s.read(ctx, api.ReadRequest{From: uint32(from), Count: int(int64(head.Sequence) - from + 1)}, head)
}

// part returns up to n entries of one incarnation from a sequence on.
func (s *source) part(ctx context.Context, incarnation, from uint32, n int, named bool) ([]api.Entry, error) {
	if s.local != nil {
		entries, err := s.local.Read(ctx, incarnation, from, min(n, tailBatch))
		return s.stored(entries), err
	}
	q := coap.Query{HasFrom: true, From: from, HasCount: true, Count: uint8(min(n, 255))}
	if named {
		q.HasIncarnation, q.Incarnation = true, incarnation
	}
	raw, err := s.ask(ctx, q)
	if err != nil {
		return nil, err
	}
	return s.entries(raw)
}

// after returns what follows a place. A service is asked to wait for it.
func (s *source) after(ctx context.Context, p edgeistry.Place) ([]api.Entry, error) {
	if s.local != nil {
		entries, err := s.local.After(ctx, p, tailBatch)
		return s.stored(entries), err
	}
	raw, err := s.ask(ctx, coap.Query{HasAfter: true, After: p, Wait: s.wait})
	if err != nil {
		return nil, err
	}
	return s.entries(raw)
}

// entries chains what a service gave: the hashes are computed here.
func (s *source) entries(raw []byte) ([]api.Entry, error) {
	r, err := coap.DecodeRange(raw)
	if err != nil {
		return nil, err
	}
	var out []api.Entry
	prev := r.Previous
	for i, payload := range r.Entries {
		at := edgeistry.Place{Incarnation: r.Incarnation, Sequence: r.First + uint32(i)}
		hash := edgeistry.ChainHash(s.target.id.Hint(), s.log, at, prev, payload)
		out = append(out, api.Entry{
			Incarnation: at.Incarnation, Sequence: at.Sequence, Prev: hex.EncodeToString(prev[:]), Hash: hex.EncodeToString(hash[:]), Payload: payload,
		})
		prev = hash
	}
	return out, nil
}

// stored returns the API's form of stored entries.
func (s *source) stored(entries []logstore.Entry) []api.Entry {
	var out []api.Entry
	for _, e := range entries {
		out = append(out, api.Entry{
			Incarnation: e.Place.Incarnation, Sequence: e.Place.Sequence, Hash: hex.EncodeToString(e.Hash[:]), Prev: hex.EncodeToString(e.Prev[:]),
			Stored: e.Stored, Gap: e.Gap, Producer: e.Producer, Payload: e.Payload,
		})
	}
	return out
}
