//go:build !faults

package integration

// oneIn is the divisor of the number of seeds; make test-faults tries all.
const oneIn = 3
