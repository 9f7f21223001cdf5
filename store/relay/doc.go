// Package relay is a store.Driver whose calls travel over a connection, so that
// a process without credentials reads and writes what another process lets it.
//
// A worker calls Serve for each of its job processes, with the roots that it
// has opened and a Policy; the job process calls Connect, and opens ordinary
// roots on the Client. Nothing else uses it.
//
// # Which side does what
//
// The serving side stands on *store.Root, not on raw drivers. So retries,
// pacing, budgets, counting and checksums are those of the process that holds
// the credentials, shared by all its job processes, and the other side repeats
// nothing: Client.Open sets one attempt, and no time limit of its own, since
// the server may well be waiting for a store to recover. What this means for
// each call:
//
//   - A range is one Handle.ReadAt of exactly its bytes, resumed and checked
//     by the server, and announced with its length before the first byte. One
//     that breaks off ends with the server's error, never with an early end.
//   - All objects are written through a Writer. A conditional write whose
//     answer was lost is found to exist, here as on a root of one's own, and
//     who lost reads the object back: the nonce of create-once is made by the
//     asking side and travels in the body, so that only the winner finds its
//     own.
//   - An upload that is not committed is aborted: when it is canceled, when
//     its connection ends in whatever way, and when a frame breaks the rules.
//   - Errors keep their kind and their cause. Operation and object are named
//     once, by the asking root, which has the name of the server's.
//   - A listing is refused. No job code needs one, and what a job process may
//     see is named, not found.
//
// On a file root of Linux bytes cost the server nothing. A reader gets a
// descriptor of the file, read-only; it notices a file that is written to
// meanwhile, as the root itself does. A writer gets one of a file without a name
// that matters, which becomes the object only when the other side has closed it:
// a lease tells the server that no descriptor and no mapping is left by which
// anybody could change what is committed. A process of the same user may open
// such files anew, and any other that the user may: what a file root holds is
// protected from job code by users and modes, not by this package. Everything
// else travels in frames.
//
// # Protocol
//
// Both sides send frames, all integers of the header little-endian:
//
//	0   4   length of the payload; 64 KiB at most, of data 256 KiB
//	4   4   id of the call, the upload or the stream that it belongs to
//	8   1   kind
//	9   1   flags: 1 = a descriptor comes with the frame
//	10  2   zero
//	12  …   payload
//
// The first frame is the asking side's hello: version and token. Processes of
// the release before are served in its version. Every call is answered once,
// also a canceled one, and is in flight until then; more calls, uploads or
// handles than Limits allow, and every other breach of the rules, end the
// connection. Data flows under a window of 512 KiB for each stream,
// which its reader opens further as it reads: a stream that nobody reads holds
// that much, and does not keep others waiting.
//
// Concurrency: Serve runs until its connection ends, and has ended all that it
// began when it returns. A Policy and a Client may be used by any number of
// goroutines.
//
// Failure: when the connection ends all calls fail with kind Unavailable on the
// asking side. What the Policy does not allow is of kind Denied, names key and
// rule, and is logged by the server.
//
// Units: sizes and offsets are bytes.
package relay
