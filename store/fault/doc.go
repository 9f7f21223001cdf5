// Package fault makes a store fail on purpose, to see what survives it. An Injector's
// Wrap goes into store.Options, and so beneath retries, pacing, budgets, framing and
// checks. Tests use it, and `windrow run --chaos`.
//
//	plan, err := fault.Parse("503:10% burst=3, reset:2%, lost:#1 put key=**/_windrow/**")
//	faults := fault.New(plan...)
//	faults.Seed = 7
//	root, err := store.Open(ctx, "mem://", store.Options{Wrap: faults.Wrap})
//
// Failpoints stop or kill the process in its BeforeWrite and AfterWrite hooks.
//
// # The language
//
//	plan  = rule { "," rule } .
//	rule  = fault ":" when { word } .
//	when  = number "%"    each request, with this probability
//	      | "#" range     of the tries of each request, these
//	      | "@" range     of all requests that the rule is for, these
//	range = n | n "-" m | n "-" .        counted from 1
//	word  = op | "key=" pattern | "as=" fault | "burst=" n
//	      | "after=" size | "for=" duration | "rate=" size "/s" .
//	op    = "put" | "begin" | "part" | "commit" | "abort"
//	      | "read" | "stat" | "list" | "delete" .
//
// A request is an operation on a key. Reads differ by where they begin, parts by
// their number. A listing of uploads is a list too. A pattern is one of store.Match,
// over the key within the bucket, memory space or directory that was opened, or over
// the prefix for a list. A pattern with spaces, commas or quotes is a quoted Go
// string. Sizes are like 700B, 64KiB, 1MiB; durations like 200ms, 1m30s.
//
//	fault      happens to          effect
//	503        all                 the store asks for fewer requests, and does nothing
//	500        all                 the store fails, and does nothing
//	400        all                 the store does not know such a request
//	expired    all                 the credentials are no longer valid
//	404        read stat           the store says that the object does not exist
//	409        put commit          another write of the key is in flight; nothing is written
//	412        put commit          if absent: the store says that the object exists already; nothing
//	                                 is written
//	corrupt    all                 an answer to another question
//	reset      all                 the connection breaks: of a read after some bytes of the
//	                                 body, of all others before anything is done
//	lost       put begin part      the request is done, and its answer lost: the error is that
//	           commit abort delete   of as=, 500 unless given; as=412 says to a winner that it
//	                                 lost, and happens to what 412 happens to
//	cut        read                the body ends before its announced length
//	short      read                of a range: a 206 that announces and sends fewer bytes
//	full       read                of a range: a 200 with the whole object
//	stall      read                the body stops; after for=, 1m unless given, the
//	                                 connection breaks; for=0s: never
//	flip       read                one bit of the body is inverted
//	slow       all                 the answer begins for= later, 200ms unless given
//	bandwidth  put part read       the body takes its time, at rate=, 1MiB/s unless given
//
// after= is how many bytes of a body come before reset, cut, short, stall or flip;
// without it that is drawn. burst=n makes each request that is struck fail n times in
// a row. The first rule that strikes decides, but slow and bandwidth add to all
// others.
//
// # Determinism
//
// Draws depend on Seed, the rule's place in the plan, the request, and how often it
// was made before. They do not depend on time, nor on the order of goroutines. So the
// same seed gives the same requests the same faults. Only "@" counts in order of
// arrival.
//
// # What is left out
//
// A flip in bytes without a checksum cannot be noticed. It would make a wrong answer
// that says nothing about the program under test. So flips happen only in reads of
// whole objects whose checksum the store returns (store.Object.Sum), which package
// store checks, and in reads of objects for which Checked returns true. For all
// others, such as files, the flip is left out and counted as left out. On a local
// store begin, part, abort, and a stat that opens an object are no requests, and no
// fault happens to them.
//
// Concurrency: an Injector may be shared by any number of drivers and goroutines; its
// rules count all of them together. Failure: only the faults that were asked for.
// Units: bytes, and calls counted from 1.
package fault
