// Package program is what a PROGRAM constraint holds: the body of a WebAssembly function that decides about a request.
// docs/spec/program.md is its specification.
//
// Check refuses bodies that are not valid or exceed the bounds, Input is everything that a program can know, and a Runner runs one.
// The package runs nothing itself: a device has the interpreter of its firmware, and a node has wazero.
package program
