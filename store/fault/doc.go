// Package fault makes a store fail on purpose, to see what survives it. An
// Injector's Wrap goes into store.Options, and so beneath retries, pacing,
// budgets, framing and checks. Tests use it, and `windrow run --chaos`.
//
//	plan, err := fault.Parse("503:10% burst=3, reset:2%, lost:#1 put key=**/_windrow/**")
//	faults := fault.New(plan...)
//	faults.Seed = 7
//	root, err := store.Open(ctx, "mem://", store.Options{Wrap: faults.Wrap})
//
// Its BeforeWrite and AfterWrite hooks are where failpoints stop or kill the
// process.
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
// A request is an operation on a key; a read is told from others by where it
// begins, a part by its number. To list uploads is a list as well. A pattern is
// one of store.Match, over the key within the bucket, memory space or directory
// that was opened, the prefix for a list; with spaces, commas or quotes in it, it is a quoted Go string. Sizes
// are like 700B, 64KiB, 1MiB; durations like 200ms, 1m30s.
//
//	fault      befalls             what happens
//	503        all                 the store asks for fewer requests, and does nothing
//	500        all                 the store fails, and does nothing
//	400        all                 the store does not know such a request
//	expired    all                 the credentials are not valid any more
//	404        read stat           the store says that there is no such object
//	409        put commit          another write of the key is in flight; nothing is written
//	412        put commit          if absent: the object exists already, it says; nothing is written
//	corrupt    all                 an answer to another question
//	reset      all                 the connection breaks: of a read after some bytes of the
//	                                 body, of all others before anything is done
//	lost       put begin part      the request is done, and its answer lost: the error is that
//	           commit abort delete   of as=, 500 unless given; as=412 tells a winner that it
//	                                 lost, and befalls what 412 befalls
//	cut        read                the body ends before its announced length
//	short      read                of a range: a 206 that announces and sends fewer bytes
//	full       read                of a range: a 200 with the whole object
//	stall      read                the body stops; after for=, 1m unless given, the
//	                                 connection breaks; for=0s: never
//	flip       read                one bit of the body is another
//	slow       all                 the answer begins for= later, 200ms unless given
//	bandwidth  put part read       the body takes its time, at rate=, 1MiB/s unless given
//
// after= says how many bytes of a body come before reset, cut, short, stall or
// flip; without it that is drawn. burst=n makes each request that is struck
// fail n times in a row. The first rule that strikes decides, but slow and
// bandwidth come on top of all others.
//
// # Determinism
//
// What is drawn depends on Seed, the rule's place in the plan, the request, and
// how often it was made before; not on time, and not on the order in which
// goroutines come. So the same seed meets the same requests with the same
// faults. Only "@" counts in order of arrival.
//
// # What is left out
//
// A flip in bytes that nobody checks cannot be noticed, and would make a wrong
// answer that says nothing of the program under test. So only reads of whole
// objects whose checksum the store tells (store.Object.Sum), which package
// store checks, and reads of objects that Checked vouches for, are flipped; of
// all others, such as those of files, the flip is left out and
// counted as such. On a store at hand begin, part, abort, and a stat that
// opens an object, are no requests, and nothing befalls them.
//
// Concurrency: an Injector may be shared by any number of drivers and
// goroutines; its rules count all of them together. Failure: only the faults
// that were asked for. Units: bytes, and calls counted from 1.
package fault
