package coap

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestSpecNumbers holds docs/spec/wire.md and the numbers of this package's streams together.
func TestSpecNumbers(t *testing.T) {
	raw, err := os.ReadFile("../docs/spec/wire.md")
	if err != nil {
		t.Fatal(err)
	}
	page := strings.Join(strings.Fields(string(raw)), " ")
	cfg := StreamConfig{}.withDefaults()
	for _, want := range []string{
		fmt.Sprintf("framing, CSM first | %d KiB |", cfg.MaxMessage>>10),
		fmt.Sprintf("no CSM within %d s", cfg.CSMTimeout/time.Second),
		fmt.Sprintf("the other side sends at most %d,%03d B", baseStreamSize/1000, baseStreamSize%1000),
		fmt.Sprintf("at most %d options", MaxOptions),
	} {
		if !strings.Contains(page, want) {
			t.Errorf("wire.md does not say %q, which the code does", want)
		}
	}
}
