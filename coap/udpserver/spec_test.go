package udpserver

import (
	"fmt"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/internal/repository"
)

// TestSpecNumbers holds docs/spec/wire.md and the numbers of this package together.
func TestSpecNumbers(t *testing.T) {
	kept := Config{}.withDefaults().Remembered
	repository.PageSays(t, "wire.md",
		fmt.Sprintf("with its answer for %d s, at most %d,%03d of them", exchangeLifetime/time.Second, kept/1000, kept%1000),
		fmt.Sprintf("An answer that takes more than %d s", piggybackWithin/time.Second),
		fmt.Sprintf("would exceed %d times its request", maxAmplification),
		fmt.Sprintf("counts for its address and %d s", echoAge/time.Second),
	)
}
