package hosting

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/program"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/logstore"
)

// Answers of hosted services are bounded: a range holds what fits.
const (
	maxDatagramRange = 1000     // bytes of entries in an answer to the CoAP port
	maxStreamRange   = 60 << 10 // bytes of entries in an answer to a stream
	guardSlots       = 128      // sessions of one hosted service
	guardOpens       = 1024     // that are opened within 10 s: after a restart all at once
	guardBuckets     = 255      // rates that it knows at a time: 8 kB
)

// Service answers for a service out of the log store: for the node's own service (New), or in the name of a device for the
// copies of its logs (NewMirror), to readers with a capability of the mirror branch. Its methods may be used by many goroutines.
type Service struct {
	cfg    Config
	id     edgeistry.ServiceID
	direct *capability.Guard // nil: the device answers for itself
	mirror *capability.Guard

	mu sync.RWMutex // held to judge a request, to append, and to change a generation or the epoch
}

// Config is what a Service needs beside its key. Every field is required unless its comment says otherwise.
type Config struct {
	Store    *logstore.Store
	Start    time.Time         // of the node: ticks are counted from here
	Boot     uint32            // new at each start: sessions end with the process
	Self     edgeistry.PeerKey // of this node: who asks over its own interfaces
	Program  program.Runner
	Denied   func([16]byte) bool // whether the deny list has a fingerprint
	Manifest func() edgeistry.Manifest
	Logger   *slog.Logger // nil: slog.Default()

	// IsForemost reports whether a request is the node's own delivery of a revocation, which takes a place that is kept free for
	// it. Nil: none is.
	IsForemost func(context.Context) bool

	// AsOf returns when a copy of a log was last known to be up to date. Nil: the logs are no copies.
	AsOf func(log string) time.Time

	// Bump saves a new generation of a branch, and Advance the next epoch. Both report what is saved even where they fail, because
	// the next start finds it: kept, and the new key, nil if it is not saved. Both are nil at mirrors.
	Bump    func(branch, generation uint8) (kept bool, err error)
	Advance func(epoch uint16, r [32]byte) (*Key, error)
}

// Key is the part of a service's key that verifiers need.
type Key struct {
	ID          edgeistry.ServiceID
	EpochKey    capability.EpochKey
	Epoch       uint16
	Generations [16]uint8
}

// New returns the node's own service, with its mirror branch and its counts. ctx must live as long as the service.
func New(ctx context.Context, key Key, cfg Config) (*Service, error) {
	counts, err := openCounters(ctx, cfg.Store, key.ID)
	if err != nil {
		return nil, err
	}
	s, err := NewMirror(key, cfg)
	if err != nil {
		return nil, err
	}
	s.direct, err = newGuard(key, cfg, counts)
	return s, err
}

// NewMirror returns the service that answers for a device's copied logs.
func NewMirror(key Key, cfg Config) (*Service, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	guard, err := newGuard(key, cfg, nil)
	if err != nil {
		return nil, err
	}
	return &Service{cfg: cfg, id: key.ID, mirror: guard}, nil
}

// newGuard makes the verifier of a service: the direct one if it has counters, else that of the mirror branch, where COUNT
// denies.
func newGuard(key Key, c Config, counts capability.Counters) (*capability.Guard, error) {
	cfg := capability.GuardConfig{
		Hint:          key.ID.Hint(),
		Epoch:         key.Epoch,
		Boot:          c.Boot,
		Generations:   key.Generations,
		Slots:         guardSlots,
		Opens:         guardOpens,
		Buckets:       guardBuckets,
		Mirror:        counts == nil,
		EnableWait:    true,
		EnablePrivacy: true,
		Program:       c.Program,
		Counters:      counts,
		Denied:        c.Denied,
		BranchKey:     branchKeys(key, counts == nil),
	}
	if _, err := rand.Read(cfg.CookieKey[:]); err != nil {
		return nil, err
	}
	return capability.NewGuard(cfg)
}

// branchKeys returns the keys that a verifier has: a mirror has that of its branch alone.
func branchKeys(key Key, mirror bool) func(branch, generation uint8) (capability.BranchKey, bool) {
	return func(branch, generation uint8) (capability.BranchKey, bool) {
		if mirror && branch != capability.BranchMirror {
			return capability.BranchKey{}, false
		}
		return key.EpochKey.Branch(key.Epoch, branch, generation), branch <= capability.BranchMirror
	}
}

// now returns the time of the service: ticks since the node started, and unix time.
func (s *Service) now() capability.Now {
	now := time.Now()
	return capability.Now{Tick: uint32(now.Sub(s.cfg.Start) / (100 * time.Millisecond)), Unix: uint32(now.Unix())}
}

// ID returns the service's ID.
func (s *Service) ID() edgeistry.ServiceID { return s.id }

// Epoch returns the epoch whose capabilities the service takes.
func (s *Service) Epoch() uint16 { return s.mirror.Epoch() }

// Generation returns the generation of a branch that the service takes.
func (s *Service) Generation(branch uint8) uint8 { return s.mirror.Generation(branch) }

// ServeCoAP answers one request.
func (s *Service) ServeCoAP(ctx context.Context, from coap.Source, req *coap.Message) *coap.Message {
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
		return admission.Refuse(reason, s.now())
	}
	return admission.Answer(resp, s.now())
}

// SetEpoch lets the verifiers take the capabilities of this key and no others.
func (s *Service) SetEpoch(key Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.setEpochLocked(key)
}

func (s *Service) setEpochLocked(key Key) error {
	for _, g := range []*capability.Guard{s.direct, s.mirror} {
		if g == nil || g.Epoch() == key.Epoch {
			continue
		}
		var cookieKey [32]byte
		if _, err := rand.Read(cookieKey[:]); err != nil {
			return err
		}
		if err := g.SetEpoch(key.Epoch, cookieKey, branchKeys(key, g == s.mirror)); err != nil {
			s.cfg.Logger.Warn("cells of counts are not free for the new epoch", "service", s.id, "error", err) // and of no use in it
		}
	}
	return nil
}

// check judges a request.
func (s *Service) check(ctx context.Context, guard *capability.Guard, from coap.Source, req *coap.Message) (*capability.Admission, *coap.Message) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	ask := guard.CheckFrom
	if s.cfg.IsForemost != nil && s.cfg.IsForemost(ctx) {
		ask = guard.CheckForemost
	}
	return ask(s.peer(from), req, s.now())
}

// peer returns the libp2p peer that asks; nobody knows where a datagram comes from.
func (s *Service) peer(from coap.Source) edgeistry.PeerKey {
	switch {
	case from.Datagram:
		return edgeistry.PeerKey{}
	case from.Local:
		return s.cfg.Self
	}
	key, err := edgeistry.ParsePeerKey(from.Peer)
	if err != nil { // a peer with a key of another kind: no AUDIENCE can name it
		return edgeistry.PeerKey{}
	}
	return key
}

// SetGeneration ends every capability and session of the branch's other generations.
func (s *Service) SetGeneration(branch, generation uint8) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setGenerationLocked(branch, generation)
}

func (s *Service) setGenerationLocked(branch, generation uint8) {
	for _, g := range []*capability.Guard{s.direct, s.mirror} {
		if g != nil {
			g.SetGeneration(branch, generation)
		}
	}
}

// serveOpen answers what needs no capability: the hello, and what the service offers.
func (s *Service) serveOpen(guard *capability.Guard, req *coap.Message) *coap.Message {
	path := req.Path()
	switch {
	case path == "/h" && req.Code == coap.CodePOST && guard != nil:
		return guard.AnswerHello(req, s.now())
	case path == "/.well-known/core" && req.Code == coap.CodeGET:
		links, err := coap.EncodeLinks(s.cfg.Manifest())
		if err != nil {
			s.cfg.Logger.Error("what the service offers cannot be shown", "service", s.id, "error", err)
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
func (s *Service) act(ctx context.Context, from coap.Source, a *capability.Admission) (*coap.Message, capability.Reason) {
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
func (s *Service) manage(a *capability.Admission) (*coap.Message, capability.Reason) {
	if s.cfg.Bump == nil {
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

// reserve assigns a cell to the count of a chain.
func (s *Service) reserve(a *capability.Admission) (*coap.Message, capability.Reason) {
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
func (s *Service) nextGeneration(a *capability.Admission) (*coap.Message, capability.Reason) {
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
	kept, err := s.cfg.Bump(branch, generation)
	if kept { // the next start finds it, whatever the answer
		s.setGenerationLocked(branch, generation)
	}
	if err != nil {
		s.cfg.Logger.Error("generation is not kept", "service", s.id, "error", err)
		return nil, capability.ReasonStorage
	}
	return &coap.Message{Code: coap.CodeChanged}, capability.ReasonNone
}

// nextEpoch ends everything that was ever shared of the service.
func (s *Service) nextEpoch(a *capability.Admission) (*coap.Message, capability.Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !a.Live() {
		return nil, capability.ReasonNoSession
	}
	epoch, r, reason := a.Epoch()
	if reason != capability.ReasonNone {
		return nil, reason
	}
	key, err := s.cfg.Advance(epoch, r)
	if key != nil { // the next start finds it, whatever the answer
		err = errors.Join(err, s.setEpochLocked(*key))
	}
	if err != nil {
		s.cfg.Logger.Error("epoch is not kept", "service", s.id, "error", err)
		return nil, capability.ReasonStorage
	}
	return &coap.Message{Code: coap.CodeChanged}, capability.ReasonNone
}

// append adds an entry, unless the session has ended meanwhile: what was confirmed to be over acts no more. Only the owner's branch makes a new log: a prefix granted to others must not take room in the store.
func (s *Service) append(ctx context.Context, a *capability.Admission, payload []byte) (*coap.Message, capability.Reason) {
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
	if a.Branch != capability.BranchOwner && !s.cfg.Store.Has(id) && !s.offers(name) {
		return nil, capability.ReasonNotFound
	}
	l, err := s.cfg.Store.Log(ctx, id)
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
func (s *Service) reason(name string, err error) capability.Reason {
	switch {
	case errors.Is(err, logstore.ErrNotKept):
		return capability.ReasonNotKept
	case errors.Is(err, logstore.ErrTooLarge):
		return capability.ReasonTooLarge
	case errors.Is(err, logstore.ErrKind):
		return capability.ReasonMethod
	default:
		s.cfg.Logger.Warn("log cannot be used", "service", s.id, "log", name, "error", err)
		return capability.ReasonStorage
	}
}

func (s *Service) read(ctx context.Context, from coap.Source, a *capability.Admission) (*coap.Message, capability.Reason) {
	id := logstore.LogID{Service: s.id, Name: a.Name}
	if !s.cfg.Store.Has(id) && !s.offers(a.Name) { // a stranger's name must not take room in the store
		return nil, capability.ReasonNotFound
	}
	l, err := s.cfg.Store.Log(ctx, id)
	if err != nil {
		return nil, s.reason(a.Name, err)
	}
	q := a.Query
	if !q.HasFrom && !q.HasAfter && a.Operation == capability.Read {
		m := &coap.Message{Code: coap.CodeContent, Payload: coap.EncodeHead(l.Head())}
		if s.cfg.AsOf != nil {
			if at := s.cfg.AsOf(a.Name); !at.IsZero() {
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

// offers reports whether the service has a log of that name that may still be empty.
func (s *Service) offers(name string) bool {
	return slices.ContainsFunc(s.cfg.Manifest().Logs, func(l edgeistry.LogInfo) bool { return l.Name == name })
}
