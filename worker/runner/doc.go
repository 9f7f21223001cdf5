// Package runner carries out attempts in job processes: it is the worker.Runner of
// a real worker.
//
// It reads a job's spec, fetches the program that was submitted for machines of
// this kind, and starts it by package worker/sandbox, at most one process for each
// slot. A process gets its work by worker/jobproc, reads and writes through
// store/relay, and works on one attempt after the other of the same job, until one
// fails, the job ends, or another job needs its place. It can reach the input of
// its attempt, the output of the job's finished attempts, and its attempt's own
// names. It can make its part visible as soon as the log holds its grant.
//
// A job is planned by an attempt, too. Planning needs the credentials of the
// worker, to list the input, and the functions of the job. So worker/planner runs
// here, and asks a job process where the job has functions of its own.
//
// The runner keeps the beginning and the end of a process's output and logs. It
// writes them to the store beside the job while the attempt runs, and when it has
// ended.
//
// Package store/meter counts the requests to stores for a job, by this process or
// by a job process through it; the runner reports them to the Host.
//
// Concurrency: as many goroutines call Run as there are slots. Close is called
// once, when no Run is under way, and waits for all that was started.
//
// Failure: Run always returns an Outcome. An error of the job is Failed, with a
// text for its author; an attempt that the worker had to stop is Lost. After any
// failure the process is killed.
//
// Units: bytes.
//
// It is part of the engine, and may change between minor versions.
package runner
