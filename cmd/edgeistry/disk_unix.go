//go:build unix

package main

import "golang.org/x/sys/unix"

// freeSpace returns the bytes that this user may still write on the file system of dir.
func freeSpace(dir string) (uint64, bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return uint64(s.Bavail) * uint64(s.Bsize), true
}
