package capability

import (
	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/coap"
)

// Target is what a request wants: one operation on one name, and for reads which entries.
type Target struct {
	Operation Operations
	Name      string // of the log or function; empty for TIME and MANAGE
	Query     coap.Query

	Management Management // with Manage: what to manage
}

// TargetOf returns what a request wants. ReasonNotFound: the path is no protected resource; ReasonMethod: the
// resource has no such method; ReasonBadOption: a query that is not allowed. Whether a log or function of that
// name exists is not known here.
func TargetOf(m *coap.Message) (Target, Reason) {
	q, err := m.Query()
	if err != nil {
		return Target{}, ReasonBadOption
	}
	t := Target{Query: q}
	if r := t.read(m, ""); r != ReasonNone {
		return Target{}, r
	}
	return t, ReasonNone
}

// read fills in what the request wants, but for the query. known is a name that the request may have: it is not made a second time.
func (t *Target) read(m *coap.Message, known string) Reason {
	var segments [2][]byte
	n := 0
	for i := range m.Options {
		if m.Options[i].Number != coap.OptionURIPath {
			continue
		}
		if n == len(segments) {
			return ReasonNotFound
		}
		segments[n] = m.Options[i].Value
		n++
	}
	if n == 1 {
		switch string(segments[0]) {
		case "t":
			return t.post(m, Time, "")
		case "g":
			return t.manage(m, ManageGeneration)
		case "e":
			return t.manage(m, ManageEpoch)
		case "n":
			return t.manage(m, ManageCell)
		}
		return ReasonNotFound
	}
	if n != 2 {
		return ReasonNotFound
	}
	name := known
	if known == "" || known != string(segments[1]) {
		name = string(segments[1])
		if edgeistry.CheckName(name) != nil {
			return ReasonNotFound
		}
	}
	switch string(segments[0]) {
	case "l":
		if m.Code != coap.CodeGET {
			return t.post(m, Append, name)
		}
		if _, ok := m.Get(coap.OptionObserve); ok {
			t.Operation, t.Name = Observe, name
			return ReasonNone
		}
		t.Operation, t.Name = Read, name
		return ReasonNone
	case "f":
		return t.post(m, Call, name)
	}
	return ReasonNotFound
}

func (t *Target) post(m *coap.Message, op Operations, name string) Reason {
	if m.Code != coap.CodePOST {
		return ReasonMethod
	}
	t.Operation, t.Name = op, name
	return ReasonNone
}

func (t *Target) manage(m *coap.Message, what Management) Reason {
	t.Management = what
	return t.post(m, Manage, "")
}
