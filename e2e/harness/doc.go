// Package harness runs the real parts of a mesh as processes: nodes of the edgeistry binary in homes of their own, the
// ATmega328P in its simulator, the POSIX device, and an attacker on the serial wire. The demo, the end-to-end test and the benchmarks share it.
//
// Every wait has a deadline; a process that fails to do what was expected is reported with the tail of its log; Close ends
// every process that was started, and only those.
package harness
