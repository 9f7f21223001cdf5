// Package latency tests what reducers ask of a store where every request costs
// a round trip: how many requests they make, how many of them are under way at
// once, and that the answer is the same.
//
// The store is one in memory that answers late and sends its bytes slowly, over
// any number of connections. By default a small shuffle is run; with
// -gigabyte, one of 1 GB, and how busy the processors were is printed too.
//
// Every test runs alone. Nothing is asserted of the clock. Sizes are bytes.
package latency
