//go:build faults

package integration

// oneIn is the divisor of the number of seeds and rounds: all are tried here.
const oneIn = 1
