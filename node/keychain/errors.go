package keychain

import (
	"fmt"
	"strings"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
)

// Kind says why no capability was chosen.
type Kind uint8

const (
	NotFound     Kind = iota + 1 // no capability has the given name
	BadText                      // the given text is no capability
	BadEntry                     // the given name is none, or what is kept under it cannot be read
	BadDischarge                 // a given text is no discharge
	Empty                        // one of several capabilities was given empty
	TooMany                      // more capabilities than may prove one request
	Foreign                      // the given capability is for another service
	NoMirrorHalf                 // the given capability cannot be checked by a home node
	None                         // the keychain has no capability that fits and is not over
	EpochOver                    // the epoch is over, and the service has not confirmed the next
)

// Over is a capability that would fit, and why it is over.
type Over struct{ Name, Why string }

// Error says why no capability was chosen. It holds IDs, no names of services, and never a secret.
type Error struct {
	Kind    Kind
	Service edgeistry.ServiceID // that the request is for; zero where that does not matter
	Of      edgeistry.ServiceID // Foreign: that the capability is for
	Mirror  bool                // None: one of the mirror branch is missing
	Over    []Over              // None: those that would fit
	Epoch   uint16              // EpochOver: the one that is over
	Count   int                 // TooMany: of capabilities
	Cause   error               // may be nil
}

func (e *Error) Error() string { return e.Text(edgeistry.ServiceID.String) }

func (e *Error) Unwrap() error { return e.Cause }

// Text returns the error in words, with services as nameOf calls them.
func (e *Error) Text(nameOf func(edgeistry.ServiceID) string) string {
	switch e.Kind {
	case BadText:
		return fmt.Sprintf("the capability cannot be read: %v", e.Cause)
	case BadDischarge:
		return fmt.Sprintf("the discharge cannot be read: %v", e.Cause)
	case Empty:
		return "also has an empty text: name each capability"
	case TooMany:
		return fmt.Sprintf("%d capabilities: at most %d prove a request together", e.Count, capability.MaxParts)
	case Foreign:
		return fmt.Sprintf("the capability is for %s, not for %s", nameOf(e.Of), nameOf(e.Service))
	case NoMirrorHalf:
		return "the capability is not of the mirror branch and has no mirror half, so a home node cannot check it"
	case EpochOver:
		return fmt.Sprintf("epoch %d of %s is over, and the service has not confirmed the next", e.Epoch, nameOf(e.Service))
	case None:
		return e.none(nameOf(e.Service))
	}
	return fmt.Sprint(e.Cause) // NotFound and BadEntry: the store's own words
}

func (e *Error) none(service string) string {
	what := ""
	if e.Mirror {
		what = " of the mirror branch"
	}
	text := fmt.Sprintf("no capability%s for %s in the keychain", what, service)
	if len(e.Over) > 0 {
		var over []string
		for _, o := range e.Over {
			over = append(over, o.Name+" ("+o.Why+")")
		}
		text += " that is not over: " + strings.Join(over, ", ")
	}
	if e.Cause != nil {
		text += "; " + e.Cause.Error()
	}
	return text
}
