// Package client is how programs talk to a cluster: the types of the HTTP API
// under /v1, and a Go client for it. The command line is built on it, and
// package master/api serves it.
//
// JSON names are in lowerCamel. Times are RFC 3339 in UTC, and left out where
// there is none; durations are in seconds, as numbers; sizes are in bytes.
// Fields are only ever added.
//
// A Client may be used by any number of goroutines. It finds out who leads the
// cluster, follows when that changes, and outlives the time in between: every
// request that may be made twice is made again, for as long as Config.Patience.
// Submit is among them, since it always has an idempotency key. Errors are of
// type *Error, or those of the caller's context.
package client
