package node

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/program"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/logstore"
	"github.com/edgeistry/edgeistry/node/state"
	"github.com/edgeistry/edgeistry/proxy"
)

// Answers of hosted services are bounded: a range holds what fits.
const (
	maxDatagramRange = 1000     // bytes of entries in an answer to the CoAP port
	maxStreamRange   = 60 << 10 // bytes of entries in an answer to a stream
	guardSlots       = 128      // sessions of one hosted service
	guardOpens       = 1024     // that are opened within 10 s: after a restart all at once
	guardBuckets     = 255      // rates that it knows at a time: 8 kB
)

// clock gives the time of the services that this node hosts: ticks since it started, and unix time.
type clock struct{ start time.Time }

func (c clock) now() capability.Now {
	now := time.Now()
	return capability.Now{Tick: uint32(now.Sub(c.start) / (100 * time.Millisecond)), Unix: uint32(now.Unix())}
}

// hosted answers for a service out of the log store: for the node's own service (direct), and in the name of a device for
// the copies of its logs (mirror), to readers with a capability of the mirror branch.
type hosted struct {
	id       edgeistry.ServiceID
	store    *logstore.Store
	clock    clock
	log      *slog.Logger
	self     edgeistry.PeerKey // of this node: who asks over its own interfaces
	direct   *capability.Guard // nil: the device answers for itself
	mirror   *capability.Guard
	manifest func() edgeistry.Manifest
	// bump keeps a new generation, and says whether it is kept even where it fails; nil: not here.
	bump func(branch, generation uint8) (kept bool, err error)
	asOf func(log string) time.Time // when a copy was last known to be up to date; nil: these are no copies
	// advance keeps the next epoch, and gives its key if it is kept, even where it fails; set with bump.
	advance func(epoch uint16, r [32]byte) (*state.ServiceKey, error)

	mu sync.RWMutex // held to judge a request, to append, and to change a generation or the epoch
}

// verifier is what a guard of a hosted service is made of beside the key.
type verifier struct {
	boot    uint32 // new at each start: sessions end with the process
	mirror  bool
	program program.Runner
	denied  func([16]byte) bool
	counts  capability.Counters // nil: COUNT denies, as at mirrors
}

func newGuard(key *state.ServiceKey, v verifier) (*capability.Guard, error) {
	cfg := capability.GuardConfig{
		Hint:          key.ID.Hint(),
		Epoch:         key.Epoch,
		Boot:          v.boot,
		Generations:   key.Generations,
		Slots:         guardSlots,
		Opens:         guardOpens,
		Buckets:       guardBuckets,
		Mirror:        v.mirror,
		EnableWait:    true,
		EnablePrivacy: true,
		Program:       v.program,
		Counters:      v.counts,
		Denied:        v.denied,
		BranchKey:     branchKeys(key, v.mirror),
	}
	if _, err := rand.Read(cfg.CookieKey[:]); err != nil {
		return nil, err
	}
	return capability.NewGuard(cfg)
}

// branchKeys gives a verifier the keys that it has: a mirror that of its branch alone.
func branchKeys(key *state.ServiceKey, mirror bool) func(branch, generation uint8) (capability.BranchKey, bool) {
	return func(branch, generation uint8) (capability.BranchKey, bool) {
		if mirror && branch != capability.BranchMirror {
			return capability.BranchKey{}, false
		}
		return key.EpochKey.Branch(key.Epoch, branch, generation), branch <= capability.BranchMirror
	}
}

// ServeCoAP answers one request.
func (s *hosted) ServeCoAP(ctx context.Context, from coap.Source, req *coap.Message) *coap.Message {
	guard := s.direct
	if capability.IsMirror(req) {
		guard = s.mirror
	}
	if _, protected := req.Get(coap.OptionRequest); !protected {
		return s.serveOpen(guard, req)
	}
	if guard == nil {
		return capability.Refusal(capability.ReasonMalformed)
	}
	admission, answer := s.check(ctx, guard, from, req)
	if admission == nil {
		return answer
	}
	resp, reason := s.act(ctx, from, admission)
	if reason == capability.ReasonNoSession || admission.Query.Wait > 0 && !admission.Live() {
		return capability.Refusal(capability.ReasonNoSession) // it ended while the request waited
	}
	if reason != capability.ReasonNone {
		return admission.Refuse(reason, s.clock.now())
	}
	return admission.Answer(resp, s.clock.now())
}

// setEpoch lets the verifiers take the capabilities of this key and no others.
func (s *hosted) setEpoch(key *state.ServiceKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.setEpochLocked(key)
}

func (s *hosted) setEpochLocked(key *state.ServiceKey) error {
	for _, g := range []*capability.Guard{s.direct, s.mirror} {
		if g == nil || g.Epoch() == key.Epoch {
			continue
		}
		var cookieKey [32]byte
		if _, err := rand.Read(cookieKey[:]); err != nil {
			return err
		}
		if err := g.SetEpoch(key.Epoch, cookieKey, branchKeys(key, g == s.mirror)); err != nil {
			s.log.Warn("cells of counts are not free for the new epoch", "service", s.id, "error", err) // and of no use in it
		}
	}
	return nil
}

// check judges a request.
func (s *hosted) check(ctx context.Context, guard *capability.Guard, from coap.Source, req *coap.Message) (*capability.Admission, *coap.Message) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	ask := guard.CheckFrom
	if proxy.IsForemost(ctx) {
		ask = guard.CheckForemost
	}
	return ask(s.peer(from), req, s.clock.now())
}

// peer tells which libp2p peer asks; nobody knows where a datagram comes from.
func (s *hosted) peer(from coap.Source) edgeistry.PeerKey {
	switch {
	case from.Datagram:
		return edgeistry.PeerKey{}
	case from.Local:
		return s.self
	}
	key, err := edgeistry.ParsePeerKey(from.Peer)
	if err != nil { // a peer with a key of another kind: no AUDIENCE can name it
		return edgeistry.PeerKey{}
	}
	return key
}

// peerKey gives the node's own key; the home always makes an Ed25519 one.
func (n *Node) peerKey() edgeistry.PeerKey {
	key, _ := edgeistry.ParsePeerKey(n.host.ID().String())
	return key
}

// setGeneration ends every capability and session of the branch's other generations.
func (s *hosted) setGeneration(branch, generation uint8) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setGenerationLocked(branch, generation)
}

func (s *hosted) setGenerationLocked(branch, generation uint8) {
	for _, g := range []*capability.Guard{s.direct, s.mirror} {
		if g != nil {
			g.SetGeneration(branch, generation)
		}
	}
}

// serveOpen answers what needs no capability: the hello, and what the service offers.
func (s *hosted) serveOpen(guard *capability.Guard, req *coap.Message) *coap.Message {
	path := req.Path()
	switch {
	case path == "/h" && req.Code == coap.CodePOST && guard != nil:
		return guard.AnswerHello(req, s.clock.now())
	case path == "/.well-known/core" && req.Code == coap.CodeGET:
		links, err := coap.EncodeLinks(s.manifest())
		if err != nil {
			s.log.Error("what the service offers cannot be shown", "service", s.id, "error", err)
			return &coap.Message{Code: coap.CodeInternal}
		}
		m := &coap.Message{Code: coap.CodeContent, Payload: links}
		m.AddUint(coap.OptionContentFormat, coap.ContentFormatLink)
		return m
	case path == "/k":
		return capability.Refusal(capability.ReasonClaimClosed)
	}
	if guard != nil {
		return capability.Refusal(guard.Unprotected(req))
	}
	if _, reason := capability.TargetOf(req); reason != capability.ReasonNone {
		return capability.Refusal(reason)
	}
	return capability.Refusal(capability.ReasonNeedCapability)
}

// act does what an admitted request asks for.
func (s *hosted) act(ctx context.Context, from coap.Source, a *capability.Admission) (*coap.Message, capability.Reason) {
	req := a.Request
	switch a.Operation {
	case capability.Read, capability.Observe:
		return s.read(ctx, from, a)
	case capability.Append:
		return s.append(ctx, a, req.Payload)
	case capability.Time:
		if len(req.Payload) != 4 {
			return nil, capability.ReasonArgument
		}
		return &coap.Message{Code: coap.CodeChanged}, capability.ReasonNone // a node has a clock of its own
	case capability.Manage:
		return s.manage(a)
	default:
		return nil, capability.ReasonNotFound
	}
}

// manage does what the owner asks for.
func (s *hosted) manage(a *capability.Admission) (*coap.Message, capability.Reason) {
	if s.bump == nil {
		return nil, capability.ReasonMethod
	}
	switch a.Management {
	case capability.ManageGeneration:
		return s.nextGeneration(a)
	case capability.ManageEpoch:
		return s.nextEpoch(a)
	case capability.ManageCell:
		return s.reserve(a)
	}
	return nil, capability.ReasonMethod
}

// reserve gives a cell to the count of a chain.
func (s *hosted) reserve(a *capability.Admission) (*coap.Message, capability.Reason) {
	cell, id, reason := a.Cell()
	if reason == capability.ReasonNone {
		reason = s.direct.Reserve(cell, id)
	}
	if reason != capability.ReasonNone {
		return nil, reason
	}
	return &coap.Message{Code: coap.CodeChanged}, capability.ReasonNone
}

// nextGeneration moves a branch to a higher generation, which ends every capability and session of that branch.
func (s *hosted) nextGeneration(a *capability.Admission) (*coap.Message, capability.Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !a.Live() {
		return nil, capability.ReasonNoSession
	}
	branch, generation, reason := a.Generation()
	if reason != capability.ReasonNone {
		return nil, reason
	}
	if generation == s.direct.Generation(branch) {
		return &coap.Message{Code: coap.CodeChanged}, capability.ReasonNone
	}
	kept, err := s.bump(branch, generation)
	if kept { // the next start finds it, whatever the answer
		s.setGenerationLocked(branch, generation)
	}
	if err != nil {
		s.log.Error("generation is not kept", "service", s.id, "error", err)
		return nil, capability.ReasonStorage
	}
	return &coap.Message{Code: coap.CodeChanged}, capability.ReasonNone
}

// nextEpoch ends everything that was ever shared of the service.
func (s *hosted) nextEpoch(a *capability.Admission) (*coap.Message, capability.Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !a.Live() {
		return nil, capability.ReasonNoSession
	}
	epoch, r, reason := a.Epoch()
	if reason != capability.ReasonNone {
		return nil, reason
	}
	key, err := s.advance(epoch, r)
	if key != nil { // the next start finds it, whatever the answer
		err = errors.Join(err, s.setEpochLocked(key))
	}
	if err != nil {
		s.log.Error("epoch is not kept", "service", s.id, "error", err)
		return nil, capability.ReasonStorage
	}
	return &coap.Message{Code: coap.CodeChanged}, capability.ReasonNone
}

// append adds an entry, unless the session has ended meanwhile: what was confirmed to be over acts no more. Only the owner's branch makes a new log: a prefix granted to others must not take room in the store.
func (s *hosted) append(ctx context.Context, a *capability.Admission, payload []byte) (*coap.Message, capability.Reason) {
	if s.direct == nil {
		return nil, capability.ReasonMethod
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !a.Live() {
		return nil, capability.ReasonNoSession
	}
	name := a.Name
	id := logstore.LogID{Service: s.id, Name: name}
	if a.Branch != capability.BranchOwner && !s.store.Has(id) && !s.offers(name) {
		return nil, capability.ReasonNotFound
	}
	l, err := s.store.Log(ctx, id)
	if err != nil {
		return nil, s.reason(name, err)
	}
	receipt, err := l.Append(ctx, logstore.AppendRequest{Payload: payload})
	if err != nil {
		return nil, s.reason(name, err)
	}
	body := binary.BigEndian.AppendUint32(nil, receipt.Place.Incarnation)
	body = binary.BigEndian.AppendUint32(body, receipt.Place.Sequence)
	return &coap.Message{Code: coap.CodeChanged, Payload: body}, capability.ReasonNone
}

// reason maps the log store's errors to the profile's.
func (s *hosted) reason(name string, err error) capability.Reason {
	switch {
	case errors.Is(err, logstore.ErrNotKept):
		return capability.ReasonNotKept
	case errors.Is(err, logstore.ErrTooLarge):
		return capability.ReasonTooLarge
	case errors.Is(err, logstore.ErrKind):
		return capability.ReasonMethod
	default:
		s.log.Warn("log cannot be used", "service", s.id, "log", name, "error", err)
		return capability.ReasonStorage
	}
}

func (s *hosted) read(ctx context.Context, from coap.Source, a *capability.Admission) (*coap.Message, capability.Reason) {
	id := logstore.LogID{Service: s.id, Name: a.Name}
	if !s.store.Has(id) && !s.offers(a.Name) { // a stranger's name must not take room in the store
		return nil, capability.ReasonNotFound
	}
	l, err := s.store.Log(ctx, id)
	if err != nil {
		return nil, s.reason(a.Name, err)
	}
	q := a.Query
	if !q.HasFrom && !q.HasAfter && a.Operation == capability.Read {
		m := &coap.Message{Code: coap.CodeContent, Payload: coap.EncodeHead(l.Head())}
		if s.asOf != nil {
			if at := s.asOf(a.Name); !at.IsZero() {
				m.AddUint(coap.OptionETag, uint32(at.Unix()))
			}
		}
		return m, capability.ReasonNone
	}
	limit := maxStreamRange
	if from.Datagram {
		limit = maxDatagramRange
	}
	count := 255
	if q.HasCount {
		count = int(q.Count)
	}
	r, err := awaitRange(ctx, l, q, count, limit)
	if err != nil {
		return nil, s.reason(a.Name, err)
	}
	body, err := coap.EncodeRange(r)
	if err != nil {
		return nil, s.reason(a.Name, err)
	}
	return &coap.Message{Code: coap.CodeContent, Payload: body}, capability.ReasonNone
}

// offers says whether the service has a log of that name that may still be empty.
func (s *hosted) offers(name string) bool {
	return slices.ContainsFunc(s.manifest().Logs, func(l edgeistry.LogInfo) bool { return l.Name == name })
}

// awaitRange is readRange that waits for the first entry as long as the query asks for.
func awaitRange(ctx context.Context, l *logstore.Log, q coap.Query, count, limit int) (coap.Range, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(q.Wait)*time.Second)
	defer cancel()
	for {
		changed := l.Changed()
		r, err := readRange(context.WithoutCancel(ctx), l, q, count, limit)
		if err != nil || len(r.Entries) > 0 || q.Wait == 0 {
			return r, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return r, nil
		}
	}
}

// readRange gives the entries that a query names, as many as fit in limit bytes but at least one.
func readRange(ctx context.Context, l *logstore.Log, q coap.Query, count, limit int) (coap.Range, error) {
	head := l.Head()
	var entries []logstore.Entry
	var err error
	switch {
	case q.HasFrom:
		incarnation := head.Incarnation
		if q.HasIncarnation {
			incarnation = q.Incarnation
		}
		entries, err = l.Read(ctx, incarnation, q.From, count)
	case q.HasAfter:
		entries, err = l.After(ctx, q.After, count)
	default: // an observation: from the head on
		entries, err = l.Last(ctx, 1)
	}
	if err != nil {
		return coap.Range{}, err
	}
	if len(entries) == 0 {
		return coap.Range{Incarnation: head.Incarnation, First: head.Sequence + 1, Previous: head.Hash}, nil
	}
	first := entries[0]
	r := coap.Range{Incarnation: first.Place.Incarnation, First: first.Place.Sequence, Previous: first.Prev}
	size := 0
	for i, e := range entries {
		size += 2 + len(e.Payload)
		if i > 0 && size > limit {
			break
		}
		r.Entries = append(r.Entries, e.Payload)
	}
	return r, nil
}

// nextBoot counts the starts of this node, on disk before it is used: a session of an earlier start can never fit a later one.
func nextBoot(ctx context.Context, store *logstore.Store) (uint32, error) {
	const name = "node/boot"
	var boot uint32
	raw, err := store.Get(ctx, name)
	switch {
	case errors.Is(err, logstore.ErrNotFound):
	case err != nil:
		return 0, fmt.Errorf("count the start: %w", err)
	case len(raw) != 4:
		return 0, fmt.Errorf("count the start: record of %d bytes", len(raw))
	default:
		boot = binary.BigEndian.Uint32(raw)
	}
	boot++
	if err := store.Put(ctx, name, binary.BigEndian.AppendUint32(nil, boot)); err != nil {
		return 0, fmt.Errorf("count the start: %w", err)
	}
	return boot, nil
}
