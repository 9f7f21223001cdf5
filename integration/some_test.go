//go:build !faults

package integration

// oneIn is the divisor of the number of seeds and rounds; make test-faults tries all.
const oneIn = 8
