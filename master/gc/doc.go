// Package gc removes what no job needs any longer: runs and manifests of jobs that
// have ended, programs of which no job is left to be retried, and uploads that
// were begun and never completed.
//
// The leader calls Collect when a user asks for it. Everything that is removed is
// older than Config.Keep. Before each deletion the package confirms that this
// master still leads: another leader may have retried a job meanwhile.
//
// Collect may be called by several goroutines at once; it deletes below one prefix
// at a time. When it returns, its goroutines have ended. An error ends it where it
// is; what was removed until then stays removed, and the next call continues. Errors
// of stores keep their kind.
//
// It is part of the engine, and may change between minor versions.
package gc
