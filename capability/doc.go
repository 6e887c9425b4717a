// Package capability holds permissions that a device of 8 bits can verify, and both sides of using one.
//
// A capability is a chain of HMACs: each holder can add a frame that narrows it, offline and without asking, and
// nobody can take one away. A caller proves that it holds one by opening a session with the service, which costs
// the service one HMAC a frame; each request in the session then carries a tag of 8 bytes over everything that the
// service acts on, and each answer one that binds it to its request. What stands on the wire, and every step of a
// verifier, is docs/spec/capability.md; how a device gets its owner is docs/spec/claim.md.
//
// The package promises: the same bytes at the same ticks give the same verdict, here and in firmware/core, which
// is tested with the same vectors; a request runs at most once; secrets are compared in constant time and print
// nowhere but in Text and Discharge.Text. What is asked can be read on the way unless Session.EnablePrivacy hides it; sizes and
// times always can. It does no
// I/O and has no clock: messages and the time come in, messages go out.
//
// The caller's side, where do sends a message and waits for its answer:
//
//	c, err := capability.Parse("ecap1_...")
//	hello, err := capability.NewHello(rand.Reader, c)
//	cookie := do(hello.Message())
//	session, err := hello.Open(cookie.Payload, time.Now())
//
//	req := &coap.Message{Code: coap.CodePOST, Payload: []byte{20}}
//	err = req.SetPath("/f/valve")
//	pending, err := session.Protect(req, capability.DefaultHold, time.Now())
//	verdict, err := session.Verify(pending, do(req), time.Now())
//	// verdict.Tagged: the device said so itself; verdict.Reason: why not
//
// The verifying side is a Guard: Check gives an Admission to act on and answer through, or the refusal to send.
package capability
