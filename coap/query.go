package coap

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/edgeistry/edgeistry"
)

// MaxCount is what an absent n of a range counts for.
const MaxCount = math.MaxUint8

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
		return ok && !twice && n >= 1 && n <= MaxCount
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
	for _, text := range Queries(q) {
		m.Add(OptionURIQuery, []byte(text))
	}
}

// Queries returns the Uri-Query options that say q; Message.Query reads them.
func Queries(q Query) []string {
	var queries []string
	if q.HasFrom {
		queries = append(queries, fmt.Sprintf("s=%d", q.From))
	}
	if q.HasAfter {
		queries = append(queries, fmt.Sprintf("a=%d.%d", q.After.Incarnation, q.After.Sequence))
	}
	if q.HasIncarnation {
		queries = append(queries, fmt.Sprintf("i=%d", q.Incarnation))
	}
	if q.HasCount {
		queries = append(queries, fmt.Sprintf("n=%d", q.Count))
	}
	if q.Wait > 0 {
		queries = append(queries, fmt.Sprintf("w=%d", q.Wait))
	}
	return queries
}
