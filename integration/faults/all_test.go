//go:build faults

package faults

// all says that every point and every round runs.
const all = true
