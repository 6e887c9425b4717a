package function

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/capability"
)

var (
	twinRuns = flag.Int("twin-runs", 20_000, "programs that TestPolicyTwin gives to both sides")
	twinSeed = flag.Uint64("twin-seed", 1, "and the seed they are made from")
)

// TestPolicyTwin gives the same programs and inputs to the C core and wants the same verdicts.
func TestPolicyTwin(t *testing.T) {
	const program = "../build/firmware/edg-programs"
	build := exec.Command("make", "-s", "-C", "../firmware", program)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the C core (this test wants make and a C compiler): %v\n%s", err, out)
	}
	if _, err := os.Stat(program); err != nil { // and so a cached result ends with a new program
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	verdicts := bufio.NewReader(out)
	p := newTestPolicies(t)
	counts := map[capability.ProgramVerdict]int{}
	different := 0
	for done := 0; done < *twinRuns; {
		// A bunch that the pipes and the buffers hold, so that neither side waits for the other.
		n := min(*twinRuns-done, 200)
		r := newPrograms(*twinSeed + uint64(done))
		lines := make([]string, n)
		want := make([]capability.ProgramVerdict, n)
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
	_ = in.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("the C core: %v", err)
	}
	t.Logf("%d programs: %d fail, %d hold, %d broken; %d different", *twinRuns, counts[fails], counts[holds], counts[broken], different)
	for v, n := range counts {
		if n < *twinRuns/20 {
			t.Errorf("verdict %d only %d times: too few to show anything", v, n)
		}
	}
}
