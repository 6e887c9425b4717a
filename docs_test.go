package edgeistry_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	mdLink    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	mdHeading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	notSlug   = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// pages returns the Markdown pages that people read, by path relative to the root.
func pages(t *testing.T) []string {
	t.Helper()
	found := []string{"README.md", "CONTRIBUTING.md"}
	for _, pattern := range []string{"docs/*.md", "docs/*/*.md"} {
		more, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, more...)
	}
	return found
}

// anchors returns the names that GitHub gives to the headings of a page.
func anchors(page string) []string {
	var names []string
	for _, m := range mdHeading.FindAllStringSubmatch(page, -1) {
		names = append(names, strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return names
}

// TestDocsLinks checks that what a page links to inside this repository exists, headings included.
func TestDocsLinks(t *testing.T) {
	links := 0
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range mdLink.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			links++
			path, anchor, _ := strings.Cut(m[1], "#")
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which does not exist", page, m[1])
				continue
			}
			if anchor == "" {
				continue
			}
			there, err := os.ReadFile(target)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(anchors(string(there)), anchor) {
				t.Errorf("%s links to %s, and that page has no such heading", page, m[1])
			}
		}
	}
	if links < 40 {
		t.Errorf("%d links found, want at least 40: does the pattern still match?", links)
	}
}

// TestDocsIndex checks that docs/README.md, the reading order, leads to every page of docs, once.
func TestDocsIndex(t *testing.T) {
	index, err := os.ReadFile("docs/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages(t) {
		path, ok := strings.CutPrefix(page, "docs/")
		if n := strings.Count(string(index), "("+path+")"); ok && path != "README.md" && n != 1 {
			t.Errorf("docs/README.md links %d times to %s, want once, with a line that says what it is for", n, path)
		}
	}
}

// TestReadmeMap checks that the map of folders in README.md is what there is: its folders exist, and each folder of
// the root is on it.
func TestReadmeMap(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "\n## Map\n")
	if !ok {
		t.Fatal("README.md has no map")
	}
	var shown []string
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		for _, m := range regexp.MustCompile("`([^` ]+/)`").FindAllStringSubmatch(strings.Split(line, "|")[1], -1) {
			shown = append(shown, m[1])
			if info, err := os.Stat(m[1]); err != nil || !info.IsDir() {
				t.Errorf("README.md maps %s, which is no folder", m[1])
			}
		}
	}
	folders, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		if !f.IsDir() || strings.HasPrefix(f.Name(), ".") || f.Name() == "build" {
			continue
		}
		if !slices.ContainsFunc(shown, func(path string) bool { return strings.HasPrefix(path, f.Name()+"/") }) {
			t.Errorf("README.md does not map %s/", f.Name())
		}
	}
}

// TestReadmeSharing checks that README.md shows the command that shares, and what it prints, as docs/guide/first-steps.md does,
// which e2e/system types.
func TestReadmeSharing(t *testing.T) {
	block := regexp.MustCompile(`(?m)^    \$ edgeistry cap attenuate .*\n(    [^$].*\n)+`)
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("docs/guide/first-steps.md")
	if err != nil {
		t.Fatal(err)
	}
	shown, typed := block.FindString(string(readme)), block.FindString(string(page))
	if typed == "" || shown != typed {
		t.Errorf("README.md shows\n%s\nand docs/guide/first-steps.md\n%s", shown, typed)
	}
}
