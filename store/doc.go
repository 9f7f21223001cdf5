// Package store is object storage as the engine uses it: roots on a file
// system, in memory, or in a bucket, with one primitive on which agreement is
// built (create-once), exact range reads, writers that publish nothing before
// Commit, retries with a budget, pacing, and a count of every request.
//
// Everything that keeps or moves bytes calls it: the journal, the output
// commit, the shuffle, the readers and writers of jobs. It and its drivers are
// the only packages that import gocloud.dev.
//
// A [Root] is the portable, concrete type; a [Driver] is the little that a
// kind of store has to do. Cloud drivers live in folders of their own and
// arrive by blank import, so that a binary carries only what it uses; files
// and memory are always there.
//
// Concurrency: a Root may be used by any number of goroutines. A [Writer]
// belongs to one goroutine. A [Handle] may be read by many at once; Close must
// come after the last read returned. Goroutines that a Writer or a stream
// starts end before its Commit, Abort or Close returns.
//
// Failure: every error is an [*Error] that names operation and object and has
// a [Kind]; callers branch on [KindOf]. Kinds that time can heal (Throttled,
// Unavailable, Conflict, Corrupt) were retried before they are returned.
// NotFound means that the store said, of this very object, that it does not
// exist; a missing bucket, a refused permission or a failed name lookup is
// never NotFound.
//
// Integrity: where a store tells the checksum that it keeps of an object,
// whole reads are held against it; see Object.Sum and package checksum for who
// reads in sections.
//
// Units: sizes and offsets are bytes. Keys are relative to the root, separated
// by slashes; see [CheckKey].
package store
