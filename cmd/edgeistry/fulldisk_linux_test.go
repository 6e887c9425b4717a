package main

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// fullDisk fills the disk of a running node, starts the node again on the full disk, and then with room. $1 is an empty directory.
const fullDisk = `
set -u
mount -t tmpfs -o size=24m tmpfs "$1" || exit 70
home="$1/home"
edgeistry --home "$home" init --mesh full >/dev/null || exit 71
sed -i 's#^api_listen:.*#api_listen: 127.0.0.1:0#; s#^coap_listen:.*#coap_listen: ""#; s#/tcp/[0-9]*#/tcp/0#; s#/udp/[0-9]*#/udp/0#; s#^enable_mdns:.*#enable_mdns: false#' "$home/config.yaml"
edgeistry --home "$home" run >"$2/first" 2>&1 &
node=$!
edgeistry --home "$home" wait >/dev/null || exit 72
edgeistry --home "$home" log append events kept >/dev/null || exit 73
dd if=/dev/zero of="$1/fill" bs=1k 2>/dev/null
head -c 60000 /dev/zero | tr '\0' x >"$2/payload"
count=0
while [ $count -lt 400 ] && edgeistry --home "$home" log append events --file "$2/payload" >/dev/null 2>&1; do count=$((count + 1)); done
wait $node
echo $? >"$2/first.code"
timeout -s KILL 20 edgeistry --home "$home" run >"$2/second" 2>&1
echo $? >"$2/second.code"
timeout -s TERM -k 20 0.3 edgeistry --home "$home" run >"$2/stopped" 2>&1
echo $? >"$2/stopped.code"
rm "$1/fill"
edgeistry --home "$home" run >"$2/third" 2>&1 &
edgeistry --home "$home" wait >/dev/null || exit 74
edgeistry --home "$home" log read events --from 1 --count 1 >"$2/read" || exit 75
[ "$(edgeistry --home "$home" log read events --from 1 --json | grep -o '"sequence"' | wc -l)" -gt $count ] || exit 76
edgeistry --home "$home" stop >/dev/null 2>&1 || kill $!
wait
`

// TestFullDisk: a node whose disk is full ends, says so, and advises nothing but room. All that it acknowledged is there then.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("only root can mount a small disk; logstore.TestOpenOnFullDisk tests the same without one")
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	disk, out := t.TempDir(), t.TempDir()
	cmd := exec.CommandContext(ctx, "unshare", "-m", "sh", "-c", fullDisk, "sh", disk, out)
	said, err := cmd.CombinedOutput()
	read := func(name string) string {
		raw, err := os.ReadFile(out + "/" + name)
		if err != nil {
			t.Error(err)
		}
		return string(raw)
	}
	if err != nil {
		t.Fatalf("%v\n%s\nfirst: %s\nsecond: %s", err, said, read("first"), read("second"))
	}
	for _, run := range []string{"first", "second"} {
		text := read(run)
		if code := strings.TrimSpace(read(run + ".code")); code != "1" {
			t.Errorf("the %s run ended with %s, want 1", run, code)
		}
		if !strings.Contains(text, "disk is full") || !strings.Contains(text, "make room") || strings.Contains(text, "backup") || strings.Contains(text, "mv ") {
			t.Errorf("the %s run on a full disk said:\n%s", run, text)
		}
	}
	if code := strings.TrimSpace(read("stopped.code")); code == "137" { // SIGKILL, 20 s later
		t.Errorf("SIGTERM did not end a node on a full disk; it said:\n%s", read("stopped"))
	}
	if text := read("read"); !strings.Contains(text, "1.1") {
		t.Errorf("the entry that was acknowledged: %q", text)
	}
}
