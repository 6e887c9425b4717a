//go:build !unix

package atomicfile

const nonblock = 0 // no FIFOs in the file system
