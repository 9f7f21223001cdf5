//go:build faults

package integration

// oneIn is the divisor of the number of seeds: all of them are tried here.
const oneIn = 1
