package udpserver

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestSpecNumbers holds docs/spec/wire.md and the numbers of this package together.
func TestSpecNumbers(t *testing.T) {
	raw, err := os.ReadFile("../../docs/spec/wire.md")
	if err != nil {
		t.Fatal(err)
	}
	page := strings.Join(strings.Fields(string(raw)), " ")
	kept := Config{}.withDefaults().Remembered
	for _, want := range []string{
		fmt.Sprintf("with its answer for %d s, at most %d,%03d of them", exchangeLifetime/time.Second, kept/1000, kept%1000),
		fmt.Sprintf("An answer that takes more than %d s", piggybackWithin/time.Second),
		fmt.Sprintf("would exceed %d times its request", maxAmplification),
		fmt.Sprintf("counts for its address and %d s", echoAge/time.Second),
	} {
		if !strings.Contains(page, want) {
			t.Errorf("wire.md does not say %q, which the code does", want)
		}
	}
}
