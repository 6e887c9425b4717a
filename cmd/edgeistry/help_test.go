package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write the golden help again")

// testCLI is a command line with no environment and no screen.
func testCLI(env map[string]string) (*cli, *bytes.Buffer, *bytes.Buffer) {
	var out, errs bytes.Buffer
	return &cli{
		stdin: strings.NewReader(""), stdout: &out, stderr: &errs,
		lookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		now:       func() time.Time { return time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC) },
	}, &out, &errs
}

func TestEveryCommandHasAnExampleThatParses(t *testing.T) {
	c, _, _ := testCLI(nil)
	root := c.newRoot()
	walk(root, func(cmd *cobra.Command) {
		if cmd.Hidden {
			return
		}
		if cmd.Example == "" {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		if cmd.Short == "" {
			t.Errorf("%s does not say what it is", cmd.CommandPath())
		}
		for _, line := range strings.Split(cmd.Example, "\n") {
			if !strings.HasPrefix(line, "  ") {
				t.Errorf("%s: example %q is not indented", cmd.CommandPath(), line)
			}
			for _, part := range strings.Split(line, "&&") {
				checkExample(t, c.newRoot(), cmd.CommandPath(), part)
			}
		}
	})
}

// checkExample resolves a shell line to a command and parses its flags and arguments.
func checkExample(t *testing.T, root *cobra.Command, path, line string) {
	t.Helper()
	for _, part := range strings.FieldsFunc(line, func(r rune) bool { return r == '|' || r == '&' || r == '>' || r == '<' || r == '(' || r == ')' }) {
		words := strings.Fields(strings.ReplaceAll(part, `"door open"`, "door"))
		if len(words) == 0 || words[0] != "edgeistry" {
			continue
		}
		for i := range words {
			words[i] = strings.Trim(words[i], "'")
		}
		cmd, rest, err := root.Find(words[1:])
		if err != nil {
			t.Errorf("%s: example %q: %v", path, part, err)
			continue
		}
		if cmd.Name() == "completion" || cmd.Parent() != nil && cmd.Parent().Name() == "completion" || cmd.Name() == "help" {
			continue
		}
		if err := cmd.ParseFlags(rest); err != nil {
			t.Errorf("%s: example %q: %v", path, part, err)
			continue
		}
		if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
			t.Errorf("%s: example %q: %v", path, part, err)
		}
	}
}

func TestEveryFlagNamesItsVariableAndObeysIt(t *testing.T) {
	c, _, _ := testCLI(nil)
	walk(c.newRoot(), func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if commandLineOnly(f) {
				return
			}
			name := environmentName(f.Name)
			if !strings.Contains(f.Usage, "["+name+"]") {
				t.Errorf("%s --%s does not name %s in its help", cmd.CommandPath(), f.Name, name)
			}
			value := map[string]string{"bool": "true", "duration": "7s", "int": "7", "int64": "7", "uint64": "7", "string": "seven", "stringArray": "seven"}[f.Value.Type()]
			if value == "" {
				t.Fatalf("%s --%s has the type %s, which this test does not know", cmd.CommandPath(), f.Name, f.Value.Type())
			}
			fresh, _, _ := testCLI(map[string]string{name: value})
			same, _, err := fresh.newRoot().Find(strings.Fields(cmd.CommandPath())[1:])
			if err != nil {
				t.Fatal(err)
			}
			if err := same.ParseFlags(nil); err != nil {
				t.Fatal(err)
			}
			if err := fresh.fromEnvironment(same); err != nil {
				t.Errorf("%s with %s=%s: %v", cmd.CommandPath(), name, value, err)
				return
			}
			if got := strings.Trim(same.Flags().Lookup(f.Name).Value.String(), "[]"); got != value {
				t.Errorf("%s with %s=%s has --%s %s", cmd.CommandPath(), name, value, f.Name, got)
			}
		})
	})
}

func TestTheCommandLineBeatsTheEnvironment(t *testing.T) {
	c, out, errs := testCLI(map[string]string{"EDGEISTRY_JSON": "true"})
	if code := c.run(context.Background(), []string{"version", "--json=false"}); code != exitDone || !strings.HasPrefix(out.String(), "edgeistry ") {
		t.Errorf("version --json=false with EDGEISTRY_JSON=true exits %d and prints %q, %q", code, out, errs)
	}
	c, _, errs = testCLI(map[string]string{"EDGEISTRY_TIMEOUT": "soon"})
	if code := c.run(context.Background(), []string{"version"}); code != exitUsage || !strings.Contains(errs.String(), "EDGEISTRY_TIMEOUT") {
		t.Errorf("EDGEISTRY_TIMEOUT=soon exits %d and prints %q", code, errs)
	}
}

// TestHelp compares the help of every command with the golden one; -update writes it again.
func TestHelp(t *testing.T) {
	c, _, _ := testCLI(nil)
	seen := map[string]bool{}
	walk(c.newRoot(), func(cmd *cobra.Command) {
		words := strings.Fields(cmd.CommandPath())
		if cmd.Hidden || len(words) > 1 && words[1] == "completion" && len(words) > 2 {
			return // the library's own words
		}
		name := strings.Join(words, "-") + ".txt"
		seen[name] = true
		fresh, out, errs := testCLI(nil)
		args := append(append([]string{}, words[1:]...), "--help")
		if len(words) == 2 && words[1] == "help" {
			args = []string{"help", "help"}
		}
		if code := fresh.run(context.Background(), args); code != exitDone || errs.Len() > 0 {
			t.Errorf("%s exits %d and complains %q", strings.Join(args, " "), code, errs)
		}
		path := filepath.Join("testdata", "help", name)
		if *update {
			if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatalf("%v; go test ./cmd/edgeistry -run TestHelp -update", err)
		}
		if out.String() != string(want) {
			t.Errorf("the help of %s is not the golden one:\n%s", cmd.CommandPath(), out)
		}
		for i, line := range strings.Split(out.String(), "\n") {
			if len([]rune(line)) > 200 {
				t.Errorf("%s: line %d of the help has %d characters", cmd.CommandPath(), i+1, len([]rune(line)))
			}
		}
	})
	files, err := os.ReadDir(filepath.Join("testdata", "help"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !seen[f.Name()] {
			t.Errorf("testdata/help/%s is of no command", f.Name())
		}
	}
}

func TestHelpShowsNoEnvironmentOfThisMachine(t *testing.T) {
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	c, out, _ := testCLI(nil)
	c.run(context.Background(), []string{"--help"})
	if strings.Contains(out.String(), home) {
		t.Errorf("help names %s", home)
	}
}

func TestAListInTheEnvironmentIsSplitAtCommas(t *testing.T) {
	c, _, _ := testCLI(map[string]string{"EDGEISTRY_READ": "temperature,events"})
	cmd, _, err := c.newRoot().Find([]string{"cap", "mint"})
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.ParseFlags(nil); err != nil {
		t.Fatal(err)
	}
	if err := c.fromEnvironment(cmd); err != nil {
		t.Fatal(err)
	}
	if got := cmd.Flags().Lookup("read").Value.String(); got != "[temperature,events]" {
		t.Errorf("--read is %s, want both names", got)
	}
}
