package proxy

import (
	"fmt"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/internal/repository"
)

// TestSpecNumbers holds docs/spec/wire.md and the limits of this package together.
func TestSpecNumbers(t *testing.T) {
	l := Limits{}.withDefaults()
	repository.PageSays(t, "wire.md",
		fmt.Sprintf("%d requests under way per peer", l.UnderWay),
		fmt.Sprintf("%d queued per device for other peers and %d for the node itself", l.Queue, l.Queue),
		fmt.Sprintf("share %d places: each kind may fill them, and gives up what exceeds %d", l.Queue, l.Queue/2),
		fmt.Sprintf("%d openings per peer and %d s (%d a second after", l.Openings, l.OpeningsWindow/time.Second, l.Openings*int(time.Second)/int(l.OpeningsWindow)),
		fmt.Sprintf("until the peer is %d s behind", l.OpeningsWindow/time.Second),
		fmt.Sprintf("%d s for one request at a node", l.Exchange/time.Second),
		fmt.Sprintf("from a copy of at most %d s (%d s after a failure)", l.CoreAge/time.Second, failedCoreAge/time.Second),
		fmt.Sprintf("was silent for %d s in one exchange", awayAfter/time.Second),
		fmt.Sprintf("a request waits %d s for it and is then answered 5.03 with Max-Age %d", awayProbe/time.Second, awayAge),
	)
}
