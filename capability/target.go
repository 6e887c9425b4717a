package capability

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/edgeistry/edgeistry"
)

// Target is what a request wants: one operation on one name, and for reads which entries.
type Target struct {
	Operation Operations
	Name      string // of the log or function; empty for TIME and MANAGE
	Query     Query

	Management Management // with Manage: what to manage
}

// Query is what the Uri-Query options of a log read say (docs/spec/wire.md).
type Query struct {
	HasFrom        bool
	From           uint32 // s: the first entry, from 1
	HasAfter       bool
	After          edgeistry.Place // a: the place before the first entry
	HasCount       bool
	Count          uint8 // n: how many, from 1
	HasIncarnation bool
	Incarnation    uint32 // i: whose entries s names
	Wait           uint8  // w: how many seconds to wait for the first entry; 0: not at all
}

// maxWait bounds w, in seconds.
const maxWait = 30

// Target says what the request wants. ReasonNotFound: the path is no protected resource; ReasonMethod: the
// resource has no such method; ReasonBadOption: a query that is not allowed. Whether a log or function of that
// name exists is not known here.
func (m *Message) Target() (Target, Reason) {
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
func (t *Target) read(m *Message, known string) Reason {
	var segments [2][]byte
	n := 0
	for i := range m.Options {
		if m.Options[i].Number != OptionURIPath {
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
		if m.Code != CodeGET {
			return t.post(m, Append, name)
		}
		if _, ok := m.Get(OptionObserve); ok {
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

func (t *Target) post(m *Message, op Operations, name string) Reason {
	if m.Code != CodePOST {
		return ReasonMethod
	}
	t.Operation, t.Name = op, name
	return ReasonNone
}

func (t *Target) manage(m *Message, what Management) Reason {
	t.Management = what
	return t.post(m, Manage, "")
}

var errQuery = errors.New("query is not allowed here")

// Query reads the queries of a log read: s, a, n, i and w, each at most once; s and a exclude each other, n needs
// one of them, i needs s, w needs a; and only a GET has any.
func (m *Message) Query() (Query, error) {
	var q Query
	for i := range m.Options {
		if m.Options[i].Number != OptionURIQuery {
			continue
		}
		v := m.Options[i].Value
		if m.Code != CodeGET || len(v) < 3 || len(v) > maxSegmentLength || v[1] != '=' || !q.set(v[0], string(v[2:])) {
			return Query{}, fmt.Errorf("%.40q: %w", v, errQuery)
		}
	}
	if q.HasFrom && q.HasAfter || q.HasCount && !q.HasFrom && !q.HasAfter || q.HasIncarnation && !q.HasFrom || q.Wait > 0 && !q.HasAfter {
		return Query{}, errQuery
	}
	return q, nil
}

// set takes one query; false if it is unknown, comes twice, or has no valid value.
func (q *Query) set(key byte, text string) bool {
	var ok bool
	switch key {
	case 's':
		twice := q.HasFrom
		q.HasFrom = true
		q.From, ok = decimal(text)
		return ok && !twice && q.From >= 1
	case 'n':
		twice := q.HasCount
		q.HasCount = true
		n, ok := decimal(text)
		q.Count = uint8(n)
		return ok && !twice && n >= 1 && n <= maxCount
	case 'i':
		twice := q.HasIncarnation
		q.HasIncarnation = true
		q.Incarnation, ok = decimal(text)
		return ok && !twice
	case 'w':
		twice := q.Wait != 0
		n, ok := decimal(text)
		q.Wait = uint8(n)
		return ok && !twice && n >= 1 && n <= maxWait
	case 'a':
		twice := q.HasAfter
		q.HasAfter = true
		incarnation, sequence, found := strings.Cut(text, ".")
		q.After.Incarnation, ok = decimal(incarnation)
		if !found || !ok || twice {
			return false
		}
		q.After.Sequence, ok = decimal(sequence)
		return ok
	}
	return false
}

// decimal reads a number of 1 to 10 digits without leading zeros that fits 32 bits.
func decimal(text string) (uint32, bool) {
	if len(text) == 0 || len(text) > 10 || (len(text) > 1 && text[0] == '0') {
		return 0, false
	}
	var n uint64
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
		n = n*10 + uint64(text[i]-'0')
	}
	return uint32(n), n <= 0xffffffff
}

// SetQuery replaces the Uri-Query options by those that say q.
func (m *Message) SetQuery(q Query) {
	m.Remove(OptionURIQuery)
	add := func(text string) { m.Add(OptionURIQuery, []byte(text)) }
	number := func(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
	if q.HasFrom {
		add("s=" + number(q.From))
	}
	if q.HasAfter {
		add("a=" + number(q.After.Incarnation) + "." + number(q.After.Sequence))
	}
	if q.HasIncarnation {
		add("i=" + number(q.Incarnation))
	}
	if q.HasCount {
		add("n=" + number(uint32(q.Count)))
	}
	if q.Wait != 0 {
		add("w=" + number(uint32(q.Wait)))
	}
}
