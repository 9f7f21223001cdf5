// Package view describes jobs for users: summaries, progress, tasks, counters and
// requests, in the types of package client.
//
// The leader keeps a Job for every run that it drives, and reports to it what it
// does and learns. The Job shows only what was reported: it remembers attempts,
// failures and times for users, and no decision depends on it. Jobs that no master
// drives are described only by their specification and their log.
//
// The package does no I/O and reads no clock. A Job may be used by any number of
// goroutines; all other functions are pure. Nothing fails.
//
// It is part of the engine, and may change between minor versions.
package view
