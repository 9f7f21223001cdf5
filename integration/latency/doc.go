// Package latency tests the requests of reducers to a store where every request
// costs a round trip: how many requests they make, how many of them are in
// flight at once, and that the output is the same.
//
// The store is in memory. It answers late and sends its bytes slowly, over any
// number of connections. By default a small shuffle runs; with -gigabyte, one
// of 1 GB, and the test also prints how busy the processors were.
//
// Every test runs alone. Nothing is asserted about the clock. Sizes are bytes.
package latency
