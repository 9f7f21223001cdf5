// Package shuffle is everything between map and reduce. It sorts the pairs of a
// map attempt within a share of memory, spills and merges them into runs in a
// store, and merges a partition's runs back into one stream for a reducer.
//
// Package worker/executor calls it: a MapWriter for each map attempt, a Reader
// for each reduce attempt, and Groups for data of several partitions that one
// request fetches. A MapWriter or Reader belongs to one goroutine. All attempts
// of a process share its Budget and Groups. Shape decides which requests
// readers make.
//
// It retries no errors: the store does, and a failed attempt is run again.
// Corrupt bytes, missing rows and short reads are errors that name run and
// offset, never a shorter result. All sizes are bytes.
//
// It is part of the engine, and may change between minor versions.
package shuffle
