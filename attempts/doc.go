// Package attempts has the objects by which attempts pass on their work: the
// table of a job's tasks, which the attempt at planning writes; the manifest of
// every finished attempt; and the checksum of a part.
//
// Workers and embedded runs write them. Masters, and workers that run later
// tasks, read them. The package is a leaf: it knows stores and the vocabulary of
// package plan, and nothing of how tasks are run or scheduled.
//
// All functions may be called by any number of goroutines; values must not be
// changed while several goroutines use them. An object that is damaged, or of
// another job, is an error that names the object. Errors of stores keep their
// kind. Sizes and offsets are bytes.
//
// It is part of the engine, and may change between minor versions.
package attempts
