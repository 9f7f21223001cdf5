// Package store is object storage as the engine uses it: roots on a file
// system, in memory, or in a bucket. It has one primitive on which agreement is
// built (create-once), exact range reads, writers that publish nothing before
// Commit, retries with a budget, pacing, and a count of every request.
//
// All code that keeps or moves bytes calls it: the journal, the output commit,
// the shuffle, the readers and writers of jobs. It and its drivers are the only
// packages that import gocloud.dev.
//
// [Open] opens the [Root] that a URL names, and [New] makes one of a driver.
// Package [github.com/windrow-mr/windrow/store/driver] has the few methods that
// a kind of store implements. Drivers of clouds have packages of their own,
// which a program imports for their effect, so that it contains only what it
// uses. Drivers of files and of memory are built in.
//
// # Errors
//
// Every error is an [*Error] that names operation and object and has a
// [plan.Kind]. Callers branch on [plan.KindOf]:
//
//   - NotFound: the store said, of this very object, that it does not exist.
//     The error of a missing bucket is Invalid, of a refused permission Denied,
//     of a failed name lookup Unavailable. Open returns NotFound for a missing
//     directory.
//   - Exists: a write with IfAbsent found an object. It may be the caller's
//     own, if the store's first answer was lost: compare, or use
//     [Root.CreateOnce], which does. An output that belongs to another job is
//     Conflict, of package output.
//   - Changed: the object is no longer the version that was opened or asked
//     for. A wrong size that OpenKnown was given has this kind too.
//   - Denied: credentials, permissions or the operator's list of allowed URLs
//     do not allow the request.
//   - Invalid: the request itself is wrong: a URL, a key, an option, a range
//     outside of the object.
//   - TooLarge: there are more bytes than a limit allows, of Get, of Put, or of
//     the parts of an upload.
//   - Interrupted: the caller's context ended. A deadline of the transport is
//     Unavailable.
//   - Throttled, Unavailable, Contended, Corrupt: time may repair these. The
//     request was repeated as [Retry] says before the error is returned.
//     Corrupt at rest stays: the bytes do not fit their checksum or frame.
//   - Unknown: none of these; the text is all there is.
//
// # Guarantees
//
// Concurrency: a Root may be used by any number of goroutines. A [Writer]
// belongs to one goroutine. A [Handle] may be read by many at once; Close must
// come after the last read has returned. Goroutines that a Writer or a stream
// starts end before its Commit, Abort or Close returns.
//
// Integrity: if a store returns the checksum that it keeps of an object, whole
// reads are checked against it. See Object.Sum, and package checksum for
// readers of sections.
//
// Units: sizes and offsets are bytes. Keys are relative to the root, separated
// by slashes; see [driver.CheckKey].
package store
