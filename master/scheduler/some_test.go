//go:build race

package scheduler

// oneIn is the divisor of the number of seeds. Tests that draw them have one goroutine,
// where the race detector finds nothing and takes seven times as long. make test tries
// all of them without it.
const oneIn = 10
