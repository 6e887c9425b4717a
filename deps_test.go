package edgeistry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/edgeistry/edgeistry"

// A rule says what its packages may import, not even through others. A path of this module is relative to the root package, which is
// ".". A path that ends with "/..." means the package and everything below it.
type rule struct {
	name     string
	packages []string
	except   []string          // of packages
	only     []string          // nil: any; else what packages of this module may import of it, beside themselves and what is below them
	never    map[string]string // what must not be imported, and why
	own      map[string]string // what neither the packages nor those of this module below them may import themselves, and why
	report   string            // why a breach is only logged; "": it fails the test
}

// Reasons that several rules share.
const (
	verdict   = "a verdict depends on bytes and a given time, on nothing else"
	noHost    = "tools that only read IDs and capabilities have no host"
	noStorage = "storing is logstore's"
	connected = "package node connects the parts: they do not know it"
	leaves    = "nothing of the program depends on what starts, tests or measures it"
)

// rules is the layout of this repository.
var rules = []rule{
	{
		name:     "the root package and capability: no host, no network, no disk, no libp2p",
		packages: []string{".", "coap", "capability", "capability/phrase", "capability/program", "capability/internal/..."},
		only:     []string{".", "coap", "capability/..."},
		never: map[string]string{
			"net":                   verdict,
			"net/http":              verdict,
			"os/exec":               verdict,
			"crypto/tls":            "requests are proved by HMACs: there is no transport to trust",
			"log/slog":              "pure packages do not log: who calls them does",
			"github.com/libp2p/...": noHost,
			"github.com/multiformats/go-multiaddr/...": noHost,
			"github.com/ipfs/...":                      "CIDs are decoded with multibase alone; " + noStorage,
			"github.com/cockroachdb/...":               noStorage,
			"github.com/tetratelabs/wazero/...":        "whoever can run programs hands a func to the verifier",
			"google.golang.org/protobuf/...":           "no format of ours needs it, and its tables are built at every start",
		},
		own: map[string]string{
			"os":            verdict + "; package fmt imports it, so only our own code is checked",
			"path/filepath": verdict,
			"syscall":       verdict,
		},
	},
	{
		name:     "capability/client: a caller's side knows no network either",
		packages: []string{"capability/client"},
		only:     []string{".", "coap", "capability/..."},
		never:    map[string]string{"net": "it sends through a coap.Doer", "github.com/libp2p/...": noHost},
	},
	{
		name:     "siblings: each knows the root package, coap and capability, and no other part",
		packages: []string{"coap/...", "denylist", "dht", "relay", "mesh/membership", "function/wasm", "app"},
		except:   []string{"coap/link/linktest"},
		only:     []string{".", "coap", "capability/...", "internal/..."},
	},
	{
		name:     "parts take their neighbours as interfaces",
		packages: []string{"proxy", "logstore/mirror", "function", "mesh", "node/..."},
		except:   []string{"node", "node/api", "node/server"},
		only:     []string{".", "coap", "capability/...", "denylist", "logstore", "function/wasm", "node/config", "internal/..."},
	},
	{
		name:     "node/hosting: answers, and reaches nobody",
		packages: []string{"node/hosting"},
		only:     []string{".", "coap", "capability/...", "logstore", "internal/..."},
		never:    map[string]string{"github.com/libp2p/...": "requests arrive as messages, from whatever network"},
	},
	{
		name:     "logstore: a part that everybody may use knows only the root package",
		packages: []string{"logstore"},
		only:     []string{".", "internal/..."},
	},
	{
		name:     "no part knows node, its API or its server",
		packages: []string{"./..."},
		except:   []string{"node", "node/api", "node/server", "node/dashboard", "cmd/...", "e2e/...", "bench/..."},
		never:    map[string]string{"node": connected, "node/api": connected + "; its errors are mapped in one place", "node/server": connected},
	},
	{
		name:     "nothing imports cmd, e2e or bench",
		packages: []string{"./..."},
		except:   []string{"cmd/...", "e2e/...", "bench/..."},
		never:    map[string]string{"cmd/...": leaves, "e2e/...": leaves, "bench/...": leaves},
	},
}

// listed is what `go list -json` says of a package.
type listed struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
	Deps       []string
}

// packages returns those of this module, by their path relative to its root.
func packages(t *testing.T) map[string]listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Imports,Deps", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]listed)
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		switch err := d.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		}
		all[relative(p.ImportPath)] = p
	}
}

// relative turns an import path of this module into one relative to its root, and leaves others as they are.
func relative(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}

func isOwn(path string) bool { return path == module || strings.HasPrefix(path, module+"/") }

// match reports whether pattern means path. Both are relative.
func match(pattern, path string) bool {
	if pattern == "./..." {
		return true
	}
	below, tree := strings.CutSuffix(pattern, "/...")
	return path == below || tree && strings.HasPrefix(path, below+"/")
}

func matchAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(p, path) })
}

// chain finds how path comes to import target, for the message.
func chain(all map[string]listed, path, target string) string {
	type step struct{ path, text string }
	seen := map[string]bool{path: true}
	for queue := []step{{path, path}}; len(queue) > 0; queue = queue[1:] {
		for _, i := range all[queue[0].path].Imports {
			to := relative(i)
			text := queue[0].text + " -> " + to
			if to == target {
				return text
			}
			if !seen[to] && isOwn(i) {
				seen[to] = true
				queue = append(queue, step{to, text})
			}
		}
	}
	return path + " -> ... -> " + target
}

// breaches returns what a rule finds wrong, one line an import.
func (r rule) breaches(all map[string]listed) []string {
	var wrong []string
	for _, path := range slices.Sorted(maps.Keys(all)) {
		if !matchAny(r.packages, path) || matchAny(r.except, path) {
			continue
		}
		checked := []string{path}
		for _, d := range all[path].Deps {
			to := relative(d)
			if isOwn(d) {
				checked = append(checked, to)
				if r.only != nil && !matchAny(r.only, to) && !match(path+"/...", to) {
					wrong = append(wrong, chain(all, path, to)+": may import "+strings.Join(r.only, " ")+" only")
				}
			}
			for pattern, why := range r.never {
				if match(pattern, to) {
					wrong = append(wrong, chain(all, path, to)+": "+why)
				}
			}
		}
		for _, c := range checked {
			for _, i := range all[c].Imports {
				if why, ok := r.own[i]; ok {
					wrong = append(wrong, c+" -> "+i+": "+why)
				}
			}
		}
	}
	slices.Sort(wrong)
	return slices.Compact(wrong)
}

// TestImports: dependencies point one way. An import that breaks a rule would be regretted; the rule says why.
func TestImports(t *testing.T) {
	all := packages(t)
	if len(all) < 15 {
		t.Fatalf("go list names %d packages", len(all))
	}
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			for _, b := range r.breaches(all) {
				if r.report != "" {
					t.Logf("%s (reported only: %s)", b, r.report)
				} else {
					t.Error(b)
				}
			}
		})
	}
}

// TestImportsFindsBreaches: a rule that finds nothing, whatever is imported, would be no rule.
func TestImportsFindsBreaches(t *testing.T) {
	all := map[string]listed{
		"proxy":      {Imports: []string{module + "/capability", module + "/relay"}, Deps: []string{module + "/capability", module + "/relay", "net", module}},
		"capability": {Imports: []string{module, "os"}, Deps: []string{module, "os", "net"}},
		".":          {},
		"relay":      {Imports: []string{"net"}, Deps: []string{"net"}},
	}
	for _, c := range []struct {
		rule rule
		want []string
	}{
		{rule{packages: []string{"proxy"}, only: []string{".", "capability/..."}}, []string{"proxy -> relay: may import . capability/... only"}},
		{rule{packages: []string{"proxy"}, only: []string{".", "capability", "relay"}}, nil},
		{rule{packages: []string{"proxy"}, never: map[string]string{"net": "no network"}}, []string{"proxy -> relay -> net: no network"}},
		{rule{packages: []string{"./..."}, except: []string{"proxy", "relay"}, never: map[string]string{"net": "no network"}}, []string{"capability -> ... -> net: no network"}},
		{rule{packages: []string{"proxy"}, own: map[string]string{"os": "no disk"}}, []string{"capability -> os: no disk"}},
	} {
		if got := c.rule.breaches(all); !slices.Equal(got, c.want) {
			t.Errorf("%+v finds %q, want %q", c.rule, got, c.want)
		}
	}
}

// maxExported is how many names a package may export before a newcomer is lost in it.
const maxExported = 127

// TestExportedNames counts the package-scope identifiers that each package exports: types, funcs, constants and variables, without
// methods and fields.
func TestExportedNames(t *testing.T) {
	for path, p := range packages(t) {
		names := make(map[string]bool)
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range file.Decls {
				for _, id := range declared(d) {
					if id.IsExported() {
						names[id.Name] = true
					}
				}
			}
		}
		if len(names) > maxExported {
			t.Errorf("%s exports %d names, at most %d: unexport what nobody outside uses, or move a topic to a folder", path, len(names), maxExported)
		}
	}
}

// declared returns the names that a declaration gives to the package.
func declared(d ast.Decl) []*ast.Ident {
	var names []*ast.Ident
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			names = append(names, d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				names = append(names, spec.Name)
			case *ast.ValueSpec:
				names = append(names, spec.Names...)
			}
		}
	}
	return names
}
