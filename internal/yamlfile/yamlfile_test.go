package yamlfile

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"
)

type sample struct {
	Name  string            `yaml:"name"`
	List  []string          `yaml:"list,omitempty"`
	Any   any               `yaml:"any"`
	Table map[string]string `yaml:"table"`
}

// bomb returns a few hundred bytes of YAML that stand for 10^levels strings.
func bomb(levels int) string {
	var b strings.Builder
	b.WriteString("any:\n - &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < levels; i++ {
		fmt.Fprintf(&b, " - &a%d [%s]\n", i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ","))
	}
	return b.String()
}

// TestDecodeIsBounded: no text costs more than a moment and some megabytes, whatever it says.
func TestDecodeIsBounded(t *testing.T) {
	const most = MaxSize - 100
	var steps strings.Builder
	for i := 0; steps.Len() < most; i++ {
		steps.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	for _, c := range []struct{ name, text, want string }{
		{"aliases of aliases", bomb(9), "aliases"},
		{"one anchor", "name: &a x\n", "aliases"},
		{"an alias of itself", "any: &a [*a]\n", "aliases"},
		{"merge key", "<<: {name: x}\n", "aliases"},
		{"open lists", "any: " + strings.Repeat("[", most), "inside each other"},
		{"open maps", "any: " + strings.Repeat("{", most), "inside each other"},
		{"lists in a line", "any:\n " + strings.Repeat("- ", most/2), "inside each other"},
		{"keys in a line", "any:\n " + strings.Repeat("? ", most/2), ""},
		{"maps in maps", "any:\n " + steps.String()[:most/2], "inside each other"},
		{"open text", `name: "` + strings.Repeat("x", most), ""},
		{"tags", "any: " + strings.Repeat("!!str ", most/6), ""},
		{"large", "# " + strings.Repeat("x", MaxSize), "larger"},
		{"second document", "name: a\n---\nname: b\n", "document"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			var s sample
			err := Decode([]byte(c.text), &s)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Fatalf("Decode took it: %.60v", s)
			}
			if line := Explain(err, nil).Error(); strings.Contains(line, "\n") || len(line) > 200 || !strings.Contains(line, c.want) {
				t.Errorf("Explain = %.200q, want one short line with %q", line, c.want)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 256<<20 || took > 10*time.Second {
				t.Errorf("Decode of %d bytes took %v and %d MiB", len(c.text), took, used>>20)
			}
		})
	}
}

func TestDecode(t *testing.T) {
	var s sample
	text := "name: a * b & c\nlist:\n  - \"*x\"\n  - '&y'\ntable: {k: v}\nany:\n  - [1, {a: [b]}]\n"
	if err := Decode([]byte(text), &s); err != nil || s.Name != "a * b & c" || len(s.List) != 2 || s.Table["k"] != "v" {
		t.Errorf("Decode = %+v, %v", s, err)
	}
	deep := func(n int) []byte { return []byte("any: " + strings.Repeat("[", n) + strings.Repeat("]", n) + "\n") }
	if err := Decode(deep(MaxDepth-1), &s); err != nil {
		t.Errorf("Decode of %d levels = %v", MaxDepth, err)
	}
	if err := Decode(deep(MaxDepth), &s); !errors.Is(err, errDepth) {
		t.Errorf("Decode of %d levels = %v", MaxDepth+1, err)
	}
	if err := Decode(nil, &s); !errors.Is(err, io.EOF) {
		t.Errorf("Decode of nothing = %v", err)
	}
	if got := strings.Join(Keys(s), " "); got != "name list any table" {
		t.Errorf("Keys = %q", got)
	}
	for text, want := range map[string]string{
		"nam: x\n":           `line 1: unknown key "nam" (known: name)`,
		"name: x\nname: y\n": `line 2: mapping key "name" already defined at [1:1]`,
	} {
		if got := Explain(Decode([]byte(text), &s), []string{"name"}).Error(); got != want {
			t.Errorf("Explain(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(bomb(3)))
	f.Add([]byte("name: x\nlist: [a, b]\n"))
	f.Add([]byte("? - ? - a\n: b\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s sample
		if err := Decode(data, &s); err != nil && strings.Contains(Explain(err, nil).Error(), "\n") {
			t.Errorf("Explain gives more than a line: %q", Explain(err, nil))
		}
	})
}
