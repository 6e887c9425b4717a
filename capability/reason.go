package capability

import (
	"fmt"

	"github.com/edgeistry/edgeistry/coap"
)

// Reason is the first byte of an error's payload: why a request was refused. The table of
// docs/spec/capability.md, Errors, is the source of numbers, codes and meanings.
type Reason uint8

// The reasons of the specification.
const (
	ReasonNone           Reason = 0 // nothing is wrong
	ReasonMalformed      Reason = 1
	ReasonBadOption      Reason = 2
	ReasonCookie         Reason = 3
	ReasonCookieUsed     Reason = 4
	ReasonNoRoom         Reason = 5
	ReasonTag            Reason = 6
	ReasonNoSession      Reason = 7
	ReasonSequence       Reason = 8
	ReasonResultGone     Reason = 9
	ReasonStale          Reason = 10
	ReasonDenied         Reason = 11
	ReasonNotEvaluable   Reason = 12
	ReasonGeneration     Reason = 13
	ReasonEpoch          Reason = 14
	ReasonUnclaimed      Reason = 15
	ReasonBootLost       Reason = 16
	ReasonClaimClosed    Reason = 17
	ReasonNotFound       Reason = 18
	ReasonNeedFrames     Reason = 19
	ReasonNotKept        Reason = 20
	ReasonTooLarge       Reason = 21
	ReasonArgument       Reason = 22
	ReasonMethod         Reason = 23
	ReasonNeedCapability Reason = 24
	ReasonTime           Reason = 25
	ReasonStorage        Reason = 26
	ReasonWriteBudget    Reason = 27
	ReasonDenyListed     Reason = 28
)

type reasonInfo struct {
	code uint8
	text string
}

func (r Reason) info() (reasonInfo, bool) {
	table := [...]reasonInfo{
		ReasonNone:           {coap.CodeChanged, "done"},
		ReasonMalformed:      {coap.CodeBadRequest, "malformed option, frame or payload"},
		ReasonBadOption:      {coap.CodeBadOption, "an option that may not stand in a protected request"},
		ReasonCookie:         {coap.CodeUnauthorized, "cookie unknown, of another boot, or older than 10 s"},
		ReasonCookieUsed:     {coap.CodeUnauthorized, "cookie used before"},
		ReasonNoRoom:         {coap.CodeUnavailable, "no session slot free just now"},
		ReasonTag:            {coap.CodeUnauthorized, "tag does not verify"},
		ReasonNoSession:      {coap.CodeUnauthorized, "no such session (ended, evicted or rebooted)"},
		ReasonSequence:       {coap.CodeUnauthorized, "sequence used before or too old"},
		ReasonResultGone:     {coap.CodeUnavailable, "already executed, result gone"},
		ReasonStale:          {coap.CodeUnauthorized, "stale: older than its hold"},
		ReasonDenied:         {coap.CodeForbidden, "denied"},
		ReasonNotEvaluable:   {coap.CodeForbidden, "denied: cannot be evaluated here"},
		ReasonGeneration:     {coap.CodeForbidden, "other generation: revoked?"},
		ReasonEpoch:          {coap.CodeForbidden, "other epoch or other service"},
		ReasonUnclaimed:      {coap.CodeForbidden, "the device is not claimed"},
		ReasonBootLost:       {coap.CodeInternal, "boot counter lost: everything protected is refused"},
		ReasonClaimClosed:    {coap.CodeForbidden, "claim is closed (already claimed, window over, or not local)"},
		ReasonNotFound:       {coap.CodeNotFound, "no such log or function"},
		ReasonNeedFrames:     {coap.CodeUnauthorized, "this session needs the frames with every request"},
		ReasonNotKept:        {coap.CodeNotFound, "the entries named are no longer, or not yet, kept"},
		ReasonTooLarge:       {coap.CodeTooLarge, "too large for this verifier"},
		ReasonArgument:       {coap.CodeBadRequest, "the function refused its argument"},
		ReasonMethod:         {coap.CodeMethodNotAllowed, "method not allowed here"},
		ReasonNeedCapability: {coap.CodeUnauthorized, "this resource needs a capability"},
		ReasonTime:           {coap.CodeForbidden, "time refused: backwards, or too far forward"},
		ReasonStorage:        {coap.CodeInternal, "storage failed; nothing was acknowledged"},
		ReasonWriteBudget:    {coap.CodeUnavailable, "the log's write budget is spent for now"},
		ReasonDenyListed:     {coap.CodeForbidden, "on the deny list of the home node"},
	}
	if int(r) >= len(table) {
		return reasonInfo{}, false
	}
	return table[r], true
}

// Code returns the CoAP code that goes with the reason.
func (r Reason) Code() uint8 {
	if info, ok := r.info(); ok {
		return info.code
	}
	return coap.CodeInternal
}

func (r Reason) String() string {
	if info, ok := r.info(); ok {
		return info.text
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// noRoomSeconds is the Max-Age of a refusal for want of room: when to try again.
const noRoomSeconds = 2

// Refusal returns the error message of a reason, without a tag. Reasons 11 and 12 come from the
// Guard, which adds the frame and the type of the constraint.
func Refusal(r Reason) *coap.Message {
	m := &coap.Message{Code: r.Code(), Payload: []byte{byte(r)}}
	if r == ReasonNoRoom {
		m.AddUint(coap.OptionMaxAge, noRoomSeconds)
	}
	return m
}

// Denial is the constraint that denied: its frame, as Verdict.Place reads it, and its type. Frame 0
// means that the branch itself may not do this, whatever the frames say.
type Denial struct {
	Reason     Reason // ReasonDenied or ReasonNotEvaluable; ReasonNone: admitted
	Frame      int
	Constraint ConstraintType
}

func (d Denial) message() *coap.Message {
	return &coap.Message{Code: d.Reason.Code(), Payload: []byte{byte(d.Reason), byte(d.Frame), byte(d.Constraint)}}
}

// readError takes an error payload apart. Anything that is not one has reason 0.
func readError(payload []byte) (r Reason, frame int, t ConstraintType) {
	if len(payload) == 0 {
		return ReasonNone, 0, 0
	}
	r = Reason(payload[0])
	if _, known := r.info(); !known {
		return ReasonNone, 0, 0
	}
	if len(payload) >= 3 && (r == ReasonDenied || r == ReasonNotEvaluable) {
		return r, int(payload[1]), ConstraintType(payload[2])
	}
	return r, 0, 0
}
