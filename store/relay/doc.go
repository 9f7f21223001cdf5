// Package relay is a driver of package store whose calls travel over a
// connection, so that a process without credentials reads and writes what
// another process allows.
//
// A worker calls Serve for each of its job processes, with the roots that it has
// opened and a Policy. The job process calls Connect, and opens ordinary roots
// on the Client. Nothing else uses it.
//
// # Division of work
//
// The serving side uses *store.Root, not raw drivers. So retries, pacing,
// budgets, counting and checksums are those of the process that holds the
// credentials, shared by all its job processes. The other side repeats nothing:
// Client.Open sets one attempt, and no time limit of its own, since the server
// may be waiting for a store to recover. For each call this means:
//
//   - A range is one Handle.ReadAt of exactly its bytes. The server resumes and
//     checks it, and announces its length before the first byte. A range that
//     breaks off ends with the server's error, never with an early end.
//   - All objects are written through a Writer. A conditional write whose answer
//     was lost is found to exist, here as on a root without a relay, and the
//     loser reads the object back. The asking side makes the nonce of
//     create-once, which travels in the body, so only the winner finds its own.
//   - An upload that is not committed is aborted: when it is canceled, when its
//     connection ends for any reason, and when a frame breaks the rules.
//   - Errors keep their kind and their cause. The asking root adds operation and
//     object, once: it has the name of the server's root.
//   - A listing is refused. No job code needs one, and a job process gets the
//     names of the objects that it may read.
//
// On a file root of Linux, bytes cost the server nothing. A reader gets a
// descriptor of the file, read-only. It notices a file that is written to
// meanwhile, as the root itself does. A writer gets a descriptor of a temporary
// file, which becomes the object only after the other side has closed it. By a
// lease, the server knows that no descriptor and no mapping is left that could
// change what is committed. A process of the same user may open such files
// again, and any other file that the user may open: users and modes protect a
// file root from job code, not this package. Everything else travels in frames.
//
// # Protocol
//
// Both sides send frames, all integers of the header little-endian:
//
//	0   4   length of the payload; 64 KiB at most, of data 256 KiB
//	4   4   id of the call, the upload or the stream that it belongs to
//	8   1   kind
//	9   1   flags: 1 = the frame has a descriptor
//	10  2   zero
//	12  …   payload
//
// The first frame is the asking side's hello: version and token. Processes of
// the release before are served in its version. Every call is answered once,
// also a canceled one, and is in flight until then. More calls, uploads or
// handles than Limits allow, and every other breach of the rules, end the
// connection. Data flows under a window of 512 KiB for each stream, which its
// reader extends as it reads. A stream that is not read holds that much, and
// does not delay others.
//
// Concurrency: Serve runs until its connection ends, and has ended all that it
// began when it returns. A Policy and a Client may be used by any number of
// goroutines.
//
// Failure: when the connection ends, all calls fail with kind Unavailable on the
// asking side. The error of a call that the Policy does not allow has kind
// Denied, names key and rule, and is logged by the server.
//
// Units: sizes and offsets are bytes.
//
// It is part of the engine, and may change between minor versions.
package relay
