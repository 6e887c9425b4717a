// Package dialerror explains in one line of plain words why a libp2p node could not be reached. libp2p's own errors
// repeat the peer ID for every layer and end in texts of the Go runtime, and a deadline hides the cause below it.
//
//	err := host.Connect(ctx, info)
//	e := dialerror.Explain(err)
//	fmt.Println(e) // connection refused at /ip4/192.0.2.1/tcp/7776; no such host: cloud.example
package dialerror

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multistream"
)

// Cause is the kind of a failure.
type Cause string

// The causes, those that say most first: of several addresses the first in this order names the whole failure.
const (
	OtherNode   Cause = "other node"     // another node answers at the address
	OtherMesh   Cause = "other mesh"     // the node answers, and is of another mesh
	NotANode    Cause = "not a node"     // what answers is no node of ours
	NoService   Cause = "no service"     // the node answers, and does not speak the protocol
	NoPlace     Cause = "no reservation" // the relay answers, and does not know the node
	Refused     Cause = "refused"        // the machine answers, and nothing listens at the port
	NoSuchHost  Cause = "no such host"   // the DNS name does not resolve
	NoRoute     Cause = "no route"       // this machine has no way to the address
	NoAnswer    Cause = "no answer"      // nothing came back in time
	Self        Cause = "self"           // the node is this node
	NoAddress   Cause = "no address"     // no address of the node is known
	Interrupted Cause = "interrupted"    // the attempt was called off
	Other       Cause = "other"
)

var order = []Cause{
	OtherNode, OtherMesh, NotANode, NoService, NoPlace, Refused, NoSuchHost, NoRoute, NoAnswer, Self, NoAddress, Interrupted, Other,
}

// Error is an explained failure.
type Error struct {
	Cause Cause
	Text  string  // one line
	Is    peer.ID // who answered, for OtherNode
	err   error
}

func (e *Error) Error() string { return e.Text }
func (e *Error) Unwrap() error { return e.err }

// maxShown bounds the addresses that one explanation names.
const maxShown = 3

// Explain returns what a failed attempt to reach a node means; nil for nil.
func Explain(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	dial, ok := errors.AsType[*swarm.DialError](err)
	if !ok || len(dial.DialErrors) == 0 {
		return one(err, nil)
	}
	causes := make([]*Error, len(dial.DialErrors))
	for i, d := range dial.DialErrors {
		causes[i] = one(d.Cause, d.Address)
	}
	slices.SortStableFunc(causes, func(a, b *Error) int { return slices.Index(order, a.Cause) - slices.Index(order, b.Cause) })
	return Join(causes...)
}

// Join returns one Error of several, in the order given. The first names the cause of all.
func Join(causes ...*Error) *Error {
	var texts []string
	var errs []error
	for _, c := range causes {
		if c == nil {
			continue
		}
		errs = append(errs, c)
		if !slices.Contains(texts, c.Text) {
			texts = append(texts, c.Text)
		}
	}
	if len(errs) == 0 {
		return nil
	}
	if len(texts) > maxShown {
		texts = append(texts[:maxShown], fmt.Sprintf("and %d more addresses", len(texts)-maxShown))
	}
	first := errs[0].(*Error)
	return &Error{Cause: first.Cause, Text: strings.Join(texts, "; "), Is: first.Is, err: errors.Join(errs...)}
}

// New returns an Error with a cause and a text.
func New(cause Cause, format string, args ...any) *Error {
	return &Error{Cause: cause, Text: fmt.Sprintf(format, args...)}
}

// Host returns the DNS name that an address starts with, and "" if it starts with none.
func Host(a ma.Multiaddr) string {
	for _, code := range []int{ma.P_DNS4, ma.P_DNS6, ma.P_DNS, ma.P_DNSADDR} {
		if len(a) > 0 && a[0].Protocol().Code == code {
			return a[0].Value()
		}
	}
	return ""
}

// LookUp returns an Error for the first DNS name of a node's addresses that does not resolve. libp2p drops such an
// address without a word.
func LookUp(ctx context.Context, addrs []ma.Multiaddr) *Error {
	for _, a := range addrs {
		host := Host(a)
		if host == "" {
			continue
		}
		var err error
		if a[0].Protocol().Code == ma.P_DNSADDR {
			_, err = net.DefaultResolver.LookupTXT(ctx, "_dnsaddr."+host)
		} else {
			_, err = net.DefaultResolver.LookupHost(ctx, host)
		}
		if err != nil {
			return one(err, a)
		}
	}
	return nil
}

// one explains a failure at one address; at may be nil.
func one(err error, at ma.Multiaddr) *Error {
	where := func(word string) string {
		if at == nil {
			return ""
		}
		return " " + word + " " + at.String()
	}
	e := &Error{err: err}
	var timeout interface{ Timeout() bool }
	text := err.Error()
	dns, isDNS := errors.AsType[*net.DNSError](err)
	mismatch, isMismatch := errors.AsType[sec.ErrPeerIDMismatch](err)
	unsupported, isUnsupported := errors.AsType[multistream.ErrNotSupported[protocol.ID]](err)
	switch {
	case isMismatch:
		e.Cause, e.Is = OtherNode, mismatch.Actual
		e.Text = fmt.Sprintf("is node %s, expected %s%s", mismatch.Actual, mismatch.Expected, where("at"))
	case isDNS && dns.IsNotFound:
		e.Cause, e.Text = NoSuchHost, "no such host: "+dns.Name
	case isDNS:
		e.Cause, e.Text = NoSuchHost, "the name server does not answer for "+dns.Name
	case isUnsupported:
		e.Cause, e.Text = NoService, fmt.Sprintf("answers, but does not speak %v", unsupported.Protos)
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Cause, e.Text = Refused, "connection refused"+where("at")
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL):
		e.Cause, e.Text = NoRoute, "no route"+where("to")
	case errors.Is(err, swarm.ErrDialToSelf):
		e.Cause, e.Text = Self, "is this node itself"
	case errors.Is(err, swarm.ErrNoAddresses), errors.Is(err, swarm.ErrNoGoodAddresses):
		e.Cause, e.Text = NoAddress, "no address is known that this node can dial"
	case errors.Is(err, context.Canceled):
		e.Cause, e.Text = Interrupted, "the attempt was called off"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, syscall.ETIMEDOUT):
		e.Cause, e.Text = NoAnswer, "no answer"+where("from")
		if at == nil {
			e.Text += " in time"
		}
	case strings.Contains(text, "security protocol"):
		e.Cause, e.Text = NotANode, "what answers is no edgeistry node"+where("at")
	case errors.Is(err, network.ErrReset), errors.Is(err, syscall.ECONNRESET):
		e.Cause, e.Text = Other, "the connection was reset"+where("at")
	case strings.Contains(text, "NO_RESERVATION"):
		e.Cause, e.Text = NoPlace, "the relay does not hold a place for it"+where("at")
	default:
		e.Cause, e.Text = Other, Plain(text)
	}
	return e
}

var (
	dialWords = regexp.MustCompile(`failed to (open stream|dial|negotiate protocol)( \S+)?: |all dials failed |\* `)
	goWords   = strings.NewReplacer(
		"context deadline exceeded", "no answer in time", "i/o timeout", "no answer in time", "context canceled", "called off",
		"unexpected EOF", "the connection ended early", "use of closed network connection", "the connection was closed",
	)
)

// Plain returns an error's text in one line of at most 300 bytes, without libp2p's repetitions and without the Go runtime's
// own words for time that has run out.
func Plain(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	text = Words(dialWords.ReplaceAllString(text, ""))
	const most = 300
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}

// Words replaces the Go runtime's own words in a text that people read.
func Words(text string) string { return goWords.Replace(text) }
