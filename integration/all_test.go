//go:build faults

package integration

// oneIn says of how many seeds one is tried: all of them here.
const oneIn = 1
