package harness

import "syscall"

// childAttr lets no child outlive this program, however it ends, and keeps the terminal's Ctrl-C from reaching it directly.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
