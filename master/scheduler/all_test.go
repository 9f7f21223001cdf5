//go:build !race

package scheduler

// oneIn is the divisor of the number of seeds: all are tried here.
const oneIn = 1
