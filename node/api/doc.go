// Package api is the node's HTTP API as its callers see it: the requests, the results, the errors, and a client.
//
// The API is JSON over HTTP/1.1 on loopback, under /v1, with the bearer token of the home's file api; docs/spec/api.md lists
// the endpoints. Answers that come in parts (claiming a device, following a log) are NDJSON: one JSON value a line.
// Durations and ages are in the unit that the field's name ends with.
//
// The client promises that every error it returns is an *Error with a kind that maps to an exit code, that a
// missing or stopped node is told from a refusal, and that no answer larger than MaxBody is read. It holds the token and
// shows it to nobody.
//
//	h, err := home.Open(dir)
//	if err != nil {
//		return err
//	}
//	c, err := api.Dial(h)
//	if err != nil {
//		return err // "no node runs here; to do: edgeistry run"
//	}
//	status, err := c.Status(ctx)
package api
