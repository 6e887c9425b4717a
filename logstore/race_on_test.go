//go:build race

package logstore_test

// raceDetector is on: pebble then checks itself at every step, and takes ten times as long.
const raceDetector = true
