// Package denylist is what a home node knows of capabilities that it lets through no more
// (docs/spec/capability.md, Deny list).
//
// It names capabilities by fingerprints, finds those that a request shows, and remembers whose
// sessions it saw opened, because a request in a session shows none. It promises that a denied
// capability and everything narrowed from it is found in every request that a verifier would
// accept; what a verifier refuses anyway may pass. It verifies nothing, holds no secret, and keeps
// nothing on disk.
//
//	var l denylist.List
//	l.Set([]denylist.Fingerprint{denylist.Of(c)})
//	if r := l.Judge(req); r != denylist.Pass {
//		return denylist.Refusal(r)
//	}
//	resp := ask(req)
//	l.Learn(req, resp)
package denylist
