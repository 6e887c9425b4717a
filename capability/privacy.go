package capability

// privateOverhead is what a payload grows by: its code, the marker before it, and the cipher's tag.
const (
	privateTag      = 4
	privateOverhead = 1 + 1 + privateTag
)

// checkOuter looks at a private request before any key is used.
func (g *Guard) checkOuter(req *Message) Reason {
	if !g.cfg.EnablePrivacy {
		return ReasonTooLarge
	}
	for i := range req.Options {
		if n := req.Options[i].Number; n != OptionRequest && coverageOf(n) == covered {
			return ReasonBadOption
		}
	}
	if req.Code != CodePOST {
		return ReasonMalformed
	}
	return ReasonNone
}

func (a *Admission) decrypt(*Message) (*Message, Reason) { return nil, ReasonMalformed }

func (a *Admission) encrypt(resp *Message, _ uint32) *Message { return resp }
