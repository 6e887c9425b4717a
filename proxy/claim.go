package proxy

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
)

// ClaimSteps is how many steps a claim has.
const ClaimSteps = 5

// ClaimRequest is what a claim needs.
type ClaimRequest struct {
	Link    Link // to the device; if it has Up, that is step 1
	Setup   capability.SetupCode
	Service edgeistry.ServiceID // what the device is to become
	Random  io.Reader           // default crypto/rand.Reader

	// Progress is called after each step, from 1 to ClaimSteps, with a few words.
	Progress func(step int, text string)
	// Keep must put the state on disk before it returns: a claim whose last answer was lost, with this process maybe, is then
	// finished by giving the state as Resume. The state alone opens nothing.
	Keep   func(ClaimState) error
	Resume *ClaimState
	// Works is step 4: keep the key, make the device reachable, and show that the owner's capability works.
	Works func(ctx context.Context, claimed Claimed) error
	// Publish is step 5.
	Publish func(ctx context.Context) error
}

// ClaimState is what a claim needs, with the setup code, to be finished later.
type ClaimState struct {
	OwnerNonce []byte `json:"owner_nonce"`
	Answer     []byte `json:"answer"` // the device's first
}

// Claimed is what a claim gives.
type Claimed struct {
	Key      capability.EpochKey // of epoch 1
	Manifest edgeistry.Manifest
	Board    string
}

// ClaimError says which step of a claim failed and why.
type ClaimError struct {
	Step   int               // from 1
	Reason capability.Reason // what the device said; ReasonNone: nothing
	Err    error
}

func (e *ClaimError) Error() string {
	return fmt.Sprintf("claim, step %d of %d: %v", e.Step, ClaimSteps, e.Err)
}

func (e *ClaimError) Unwrap() error { return e.Err }

// linkTimeout is how long step 1 waits for the line, which may be plugged in just now.
const linkTimeout = 3 * time.Second

// claimTries is how often the second message is sent if its answer is lost; the link sends each several times.
const claimTries = 3

// Claim takes ownership of the device at the other end of a link, as docs/spec/claim.md says. Only this way, never through
// ServeCoAP, does a device see POST /k. Whatever is lost on the way, the device is claimed by this owner or not at all.
func (p *Proxy) Claim(ctx context.Context, req ClaimRequest) (*Claimed, error) {
	if req.Random == nil {
		req.Random = rand.Reader
	}
	if req.Progress == nil {
		req.Progress = func(int, string) {}
	}
	if line, ok := req.Link.(interface{ Up(context.Context) error }); ok {
		upCtx, cancel := context.WithTimeout(ctx, linkTimeout)
		defer cancel()
		if err := line.Up(upCtx); err != nil {
			return nil, &ClaimError{Step: 1, Err: err}
		}
	}
	req.Progress(1, "link open")

	claimed := &Claimed{}
	core, err := readCore(ctx, newDevice(req.Service, edgeistry.Manifest{}, probedLink{req.Link}, Config{Limits: p.cfg.Limits}))
	if err == nil {
		claimed.Manifest, err = coap.DecodeLinks(core)
	}
	if err != nil {
		return nil, &ClaimError{Step: 2, Err: fmt.Errorf("the device does not say what it is: %w", err)}
	}
	req.Progress(2, fmt.Sprintf("device answers (%s, %s)", claimed.Manifest.Board, claimed.Manifest.Firmware))

	if err := req.agree(ctx, claimed); err != nil {
		return nil, err
	}
	req.Progress(3, "keys agreed")

	if req.Works != nil {
		if err := req.Works(ctx, *claimed); err != nil {
			return claimed, &ClaimError{Step: 4, Err: err}
		}
	}
	req.Progress(4, "capability works")
	if req.Publish != nil {
		if err := req.Publish(ctx); err != nil {
			return claimed, &ClaimError{Step: 5, Err: err}
		}
	}
	req.Progress(5, "record published")
	return claimed, nil
}

// probeTimeout bounds one exchange of step 2. Somebody waits at a terminal for a device that is on the desk: in 8 s a
// request is sent four or five times, and a board that was reset when its line was opened has left its boot loader.
const probeTimeout = 8 * time.Second

// probedLink asks a device that is expected to be there. Its link, where it can, reports at once that nothing listens.
type probedLink struct{ Link }

func (l probedLink) Exchange(ctx context.Context, req *coap.Message) (*coap.Message, coap.Legs, error) {
	if line, ok := l.Link.(interface {
		Probe(context.Context, time.Duration, *coap.Message) (*coap.Message, error)
	}); ok {
		resp, err := line.Probe(ctx, probeTimeout, req)
		return resp, coap.Legs{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, probeTimeout, coap.ErrTimeout)
	defer cancel()
	return l.Link.Exchange(ctx, req)
}

// agree is step 3: two POST /k.
func (req *ClaimRequest) agree(ctx context.Context, claimed *Claimed) error {
	state := req.Resume
	if state == nil {
		var err error
		if state, err = req.begin(ctx); err != nil {
			return err
		}
	}
	claim, err := req.Setup.NewClaim(req.Service.Hint(), bytes.NewReader(state.OwnerNonce))
	if err != nil {
		return &ClaimError{Step: 3, Err: err}
	}
	second, err := claim.Second(state.Answer)
	if err != nil {
		return &ClaimError{Step: 3, Err: err}
	}
	if req.Keep != nil && req.Resume == nil {
		if err := req.Keep(*state); err != nil {
			return &ClaimError{Step: 3, Err: fmt.Errorf("keep what would finish the claim: %w", err)}
		}
	}
	answer, err := req.ask(ctx, second, claimTries)
	if err != nil {
		return err
	}
	if claimed.Key, err = claim.Finish(answer); err != nil {
		return &ClaimError{Step: 3, Err: err}
	}
	claimed.Board = claim.Board()
	return nil
}

// begin draws the owner's nonce and gets the device's.
func (req *ClaimRequest) begin(ctx context.Context) (*ClaimState, error) {
	var drawn bytes.Buffer
	claim, err := req.Setup.NewClaim(req.Service.Hint(), io.TeeReader(req.Random, &drawn))
	if err != nil {
		return nil, &ClaimError{Step: 3, Err: err}
	}
	answer, err := req.ask(ctx, claim.First(), 1)
	if err != nil {
		return nil, err
	}
	return &ClaimState{OwnerNonce: drawn.Bytes(), Answer: answer}, nil
}

// ask sends one POST /k and gives the answer's payload.
func (req *ClaimRequest) ask(ctx context.Context, payload []byte, tries int) ([]byte, error) {
	m := &coap.Message{Code: coap.CodePOST, Payload: payload}
	m.Add(coap.OptionURIPath, []byte("k"))
	var (
		resp *coap.Message
		err  error
	)
	for range tries {
		resp, _, err = req.Link.Exchange(ctx, m)
		if err == nil || ctx.Err() != nil || !errors.Is(err, coap.ErrTimeout) && !errors.Is(err, coap.ErrLinkDown) {
			break
		}
	}
	if err != nil {
		return nil, &ClaimError{Step: 3, Err: err}
	}
	if resp.Code == coap.CodeChanged {
		return resp.Payload, nil
	}
	reason := capability.ReasonNone
	if len(resp.Payload) > 0 {
		reason = capability.Reason(resp.Payload[0])
	}
	return nil, &ClaimError{Step: 3, Reason: reason, Err: errors.New(claimRefusal(reason, resp.Code))}
}

func claimRefusal(reason capability.Reason, code uint8) string {
	switch reason {
	case capability.ReasonClaimClosed:
		return "the device is claimed already, or not within 10 minutes of a reset: press its button for a factory reset"
	case capability.ReasonEpoch:
		return "this setup code belongs to another device"
	case capability.ReasonCookie:
		return "the device was reset in between, or the answer took more than 10 s: claim again"
	case capability.ReasonTag:
		return "the device has another secret than this setup code"
	}
	return "the device refused with " + coap.CodeText(code)
}
