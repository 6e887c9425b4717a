package wasm

import (
	"flag"
	"fmt"
	"testing"

	capprogram "github.com/edgeistry/edgeistry/capability/program"
	"github.com/edgeistry/edgeistry/capability/twintest"
)

var (
	twinRuns = flag.Int("twin-runs", 20_000, "programs that TestPolicyTwin gives to both sides")
	twinSeed = flag.Uint64("twin-seed", 1, "and the seed they are made from")
)

// TestPolicyTwin hands the same programs and inputs to the C core and wants the same verdicts.
func TestPolicyTwin(t *testing.T) {
	in, verdicts := twintest.Start(t, "edg-programs")
	p := newTestPolicies(t)
	counts := map[capprogram.Verdict]int{}
	different := 0
	for done := 0; done < *twinRuns; {
		// A bunch that the pipes and the buffers hold, so that neither side waits for the other.
		n := min(*twinRuns-done, 200)
		r := newPrograms(*twinSeed + uint64(done))
		lines := make([]string, n)
		want := make([]capprogram.Verdict, n)
		for i := range n {
			body, input := r.body(), r.input()
			if len(body) > 255 {
				body = body[:255]
			}
			want[i] = p.Run(body, &input)
			lines[i] = vectorLine(want[i], body, &input)
			counts[want[i]]++
			if _, err := fmt.Fprintln(in, lines[i]); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := fmt.Fprintln(in); err != nil { // asks for the answers
			t.Fatal(err)
		}
		for i := range n {
			got, err := verdicts.ReadByte()
			if err != nil {
				t.Fatalf("the C core: %v", err)
			}
			if got != '0'+byte(want[i]) {
				t.Errorf("C %c, Go %s", got, lines[i])
				different++
			}
		}
		done += n
	}
	t.Logf("%d programs: %d fail, %d hold, %d broken; %d different", *twinRuns, counts[fails], counts[holds], counts[broken], different)
	for v, n := range counts {
		if n < *twinRuns/20 {
			t.Errorf("verdict %d only %d times: too few to show anything", v, n)
		}
	}
}
