// Package client is how programs use a cluster: the types of the HTTP API under
// /v1, and a Go client for it. The command line uses it, and package master/api
// serves the API.
//
// JSON names are in lowerCamel. Times are RFC 3339 in UTC, and absent when
// there are none. Durations are numbers of seconds. Sizes are bytes. Later
// versions only add fields.
//
// Any number of goroutines may use a Client. It finds the leader of the
// cluster, follows when the leader changes, and survives the time between two
// leaders: it repeats every request that is safe to repeat, for as long as
// Config.Patience. Submit is among them, since it always has an idempotency
// key. Errors are of type *Error, or those of the caller's context.
package client
