// Package phrase reads what people say about capabilities: "read temperature and call valve 0..30 until friday".
//
// Parse reads a whole phrase, ParseUntil a point in time, ParseRate a rate, ParseBound the bounds of an argument. The result is a
// Wish, and Wish.Spec makes the frame that allows what the wish says. The package does no I/O and has no clock.
package phrase
