package dht

import (
	"os"
	"strings"
	"testing"

	"github.com/dustin/go-humanize"
)

// TestQuotasOfSpec holds the quotas in docs/spec/record.md and the defaults together.
func TestQuotasOfSpec(t *testing.T) {
	raw, err := os.ReadFile("../docs/spec/record.md")
	if err != nil {
		t.Fatal(err)
	}
	_, quotas, _ := strings.Cut(string(raw), "## Quotas")
	quotas, _, _ = strings.Cut(quotas, "\n## ")
	d := DefaultLimits()
	for _, n := range []int{d.Records, d.RecordsPerPeer, d.RecordsPerAddr} {
		if text := humanize.Comma(int64(n)); !strings.Contains(quotas, text) {
			t.Errorf("the section Quotas of record.md does not name %s", text)
		}
	}
	if groupBits4 != 32 || groupBits6 != 56 || !strings.Contains(quotas, "an IPv4 address, an IPv6 /56") {
		t.Error("the groups of addresses differ from record.md")
	}
}
