//go:build !race

// With -race the compiler makes room that it spares otherwise, in crypto/sha256's AppendBinary.

package capability

import "testing"

func TestSessionRequestAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, checkSessionRequest(t)); n != 0 {
		t.Errorf("a request in a session allocates %v times, want 0", n)
	}
}
