// Package client is the caller's side of a capability session: it opens sessions, protects requests and proves answers.
// docs/spec/capability.md is its specification.
//
// A Caller keeps one session for each service and each set of capabilities. It sends through any coap.Doer, so it knows no
// network. It promises that a request that acts is never made anew on a refusal that the device did not prove, and that an answer
// without a proof counts for nothing.
//
//	caller := client.New(client.Config{})
//	req, err := coap.NewRequest(coap.CodePOST, "/f/valve", nil, []byte{20})
//	result, err := caller.Call(ctx, stream, capability, client.Request{Message: req})
//	// err is a *client.Denied if the answer is an error; result.Response.Payload is the function's result
package client
