// Package shuffle is everything between map and reduce: it sorts the pairs of
// a map attempt within a share of memory, spills and merges them into runs in a
// store, and merges a partition's runs back into one stream for a reducer.
//
// worker/executor calls it: a MapWriter for each map attempt, a Reader for each
// reduce attempt, and Groups for what several partitions fetch by one request. A
// MapWriter or Reader belongs to one goroutine; Budget and Groups are shared by all
// attempts of a process. Which requests readers make is decided by Shape. No error is retried here: the store
// retries, and an attempt that fails is run again. Corrupt bytes, missing rows
// and short reads are errors that name run and offset, never a shorter result.
// All sizes are bytes.
package shuffle
