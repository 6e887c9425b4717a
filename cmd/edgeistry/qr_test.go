package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"github.com/edgeistry/edgeistry/capability"
)

func TestTerminalQRHoldsTheLongestToken(t *testing.T) {
	for _, colour := range []bool{false, true} {
		got, err := terminalQR("ecap1_"+strings.Repeat("A", capability.MaxTokenText-len(tokenPrefix)), colour)
		if err != nil {
			t.Fatal(err)
		}
		got = strings.NewReplacer("\x1b[40;97m", "", "\x1b[0m", "").Replace(got)
		lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
		side := utf8.RuneCountInString(lines[0])
		if side > 80 {
			t.Errorf("the code is %d characters wide, want at most 80", side)
		}
		if len(lines) != (side+1)/2 {
			t.Errorf("%d lines for a side of %d", len(lines), side)
		}
		for i, line := range lines {
			if utf8.RuneCountInString(line) != side {
				t.Errorf("line %d is %d characters wide, want %d", i, utf8.RuneCountInString(line), side)
			}
		}
		if strings.Trim(lines[0], "█") != "" || strings.Trim(lines[1], "█") != "" {
			t.Error("the quiet zone is not light")
		}
	}
}

// A decoder that is not ours reads what a camera would see.
func TestPictureQRReadsBack(t *testing.T) {
	want := "ecap1_" + strings.Repeat("aB3_", 103)
	code, err := encodeQR(want)
	if err != nil {
		t.Fatal(err)
	}
	fromPNG, err := png.Decode(bytes.NewReader(code.PNG()))
	if err != nil {
		t.Fatal(err)
	}
	for name, picture := range map[string]image.Image{"png": fromPNG, "svg": drawSVG(t, svgQR(code))} {
		bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
		if err != nil {
			t.Fatal(err)
		}
		got, err := qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_PURE_BARCODE: true})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got.GetText() != want {
			t.Errorf("%s reads %q, want %q", name, got.GetText(), want)
		}
	}
}

// drawSVG paints the rectangles of the path, 8 pixels a module.
func drawSVG(t *testing.T, svg []byte) image.Image {
	t.Helper()
	var side int
	if _, err := fmt.Sscanf(string(svg), `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d`, &side); err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal(svg, new(struct{})); err != nil {
		t.Fatalf("not XML: %v", err)
	}
	picture := image.NewGray(image.Rect(0, 0, 8*side, 8*side))
	draw.Draw(picture, picture.Bounds(), image.White, image.Point{}, draw.Src)
	for _, m := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`).FindAllSubmatch(svg, -1) {
		number := func(i int) int { n, _ := strconv.Atoi(string(m[i])); return 8 * n }
		draw.Draw(picture, image.Rect(number(1), number(2), number(1)+number(3), number(2)+8), image.Black, image.Point{}, draw.Src)
	}
	return picture
}
