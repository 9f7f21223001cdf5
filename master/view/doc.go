// Package view makes what people see of jobs: summaries, progress, tasks, counters
// and requests, in the types of package client.
//
// The leader keeps a Job for every run that it drives, and reports to it what it
// does and learns. What is not reported is not seen: a Job remembers attempts,
// failures and times only for people, and no decision depends on it. Jobs that no
// master drives are described by their specification and their log alone.
//
// The package does no I/O and reads no clock. A Job may be used by any number of
// goroutines; all other functions are pure. Nothing fails.
//
// It is part of the engine, and may change between minor versions.
package view
