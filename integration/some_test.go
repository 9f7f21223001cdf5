//go:build !faults

package integration

// oneIn says of how many seeds one is tried; make test-faults tries all.
const oneIn = 3
