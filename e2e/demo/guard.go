package main

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/edgeistry/edgeistry/e2e/harness"
)

// lease is how long the word of the guard holds.
const lease = 5 * time.Second

// guard makes a capability that is worth nothing without the word of a guard at another site, and
// uses it with that word.
func (d *demo) guard(ctx context.Context) error {
	d.out.title("Two must agree: a visitor may turn the valve with the owner's word and, each time anew, the doorman's")
	if _, err := d.show(ctx, d.mesh.Cloud, outcome{keep: whatAllows}, "cap", "mint", "node", "--no-mirror", "--save", "node/doorman"); err != nil {
		return err
	}
	r := d.mesh.Cloud.CLI(ctx, "cap", "show", "node/doorman")
	if err := r.Err(); err != nil {
		return err
	}
	if err := d.mesh.Edge.CLI(ctx, "cap", "import", "cloud/doorman", oneLine(r.Stdout)).Err(); err != nil {
		return err
	}
	made := outcome{says: `(?m)^frame 3 +with the word of the guard`, keep: whatAllows}
	if _, err := d.show(ctx, d.mesh.Edge, made, "cap", "attenuate", "greenhouse/site", "call", "valve", "--guard", "cloud/doorman", "--save", "greenhouse/visitor"); err != nil {
		return err
	}
	for _, n := range []*harness.Node{d.mesh.Caller, d.mesh.Cloud} {
		if _, err := d.mesh.Edge.Give(ctx, n, "greenhouse/visitor"); err != nil {
			return err
		}
	}
	const missing = `frame 3 allows only: with the word of the guard [0-9a-f]{8} \(its word is missing`
	if err := d.refused(ctx, "denied by the device: "+missing, 40, "--cap", "greenhouse/visitor"); err != nil {
		return err
	}
	if _, err := d.show(ctx, d.mesh.Caller, denied(`(?s)\n3 +no .*denied: `+missing), "cap", "explain", "greenhouse/visitor", "call", "valve", "40"); err != nil {
		return err
	}
	if err := d.giveWord(ctx); err != nil {
		return err
	}
	return d.turn(ctx, 40, d.withWord()...)
}

// giveWord has the doorman agree, for a while.
func (d *demo) giveWord(ctx context.Context) error {
	r, err := d.show(ctx, d.mesh.Cloud, outcome{says: `(?s)^edis1_.*\nallows until .* after boot`, keep: whatAllows, into: d.word()},
		"cap", "discharge", "node/doorman", "greenhouse/visitor", "--lease", lease.String())
	if err != nil {
		return err
	}
	d.wordUntil = time.Now().Add(lease)
	return os.WriteFile(d.word(), r.Stdout, 0o600)
}

func (d *demo) word() string { return filepath.Join(d.dir, "word.txt") }

func (d *demo) withWord() []string {
	return []string{"--cap", "greenhouse/visitor", "--discharge", "@" + d.word()}
}
