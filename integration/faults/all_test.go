//go:build faults

package faults

// all says that every point and every round is to be run.
const all = true
