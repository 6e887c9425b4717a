package coap

import (
	"fmt"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/internal/repository"
)

// TestSpecNumbers holds docs/spec/wire.md and the numbers of this package's streams together.
func TestSpecNumbers(t *testing.T) {
	cfg := StreamConfig{}.withDefaults()
	repository.PageSays(t, "wire.md",
		fmt.Sprintf("framing, CSM first | %d KiB |", cfg.MaxMessage>>10),
		fmt.Sprintf("no CSM within %d s", cfg.CSMTimeout/time.Second),
		fmt.Sprintf("the other side sends at most %d,%03d B", baseStreamSize/1000, baseStreamSize%1000),
		fmt.Sprintf("at most %d options", MaxOptions),
	)
}
