// Package runner carries out attempts in job processes: it is the worker.Runner
// of a real worker.
//
// It reads a job's spec, fetches the program that was submitted for machines of
// this kind, and starts it by package worker/sandbox, one process for each slot
// at most. A process is told what to do by worker/jobproc, reads and writes
// through store/relay, and works on one attempt after the other of the same job
// until one fails, the job ends, or another job needs its place. It can reach
// the input of its attempt, what the job's finished attempts left behind, and
// the names that are its attempt's own; its part it can make visible from the
// moment on in which the log holds its grant.
//
// A job is planned by an attempt, too. That needs the credentials of the worker,
// for listing the input, and the functions of the job: so internal/planning runs
// here, and asks a job process where the job has functions of its own.
//
// What a process prints and logs is kept, the beginning and the end of it, and
// written to the store beside the job while the attempt runs, and when it has
// ended.
//
// What stores are asked for on behalf of a job, by this process or by a job process
// through it, is counted by package internal/meter, and told to the Host.
//
// Concurrency: Run is called by as many goroutines as there are slots. Close is
// called once, when no Run is under way, and waits for all that was started.
//
// Failure: Run returns an Outcome always. What a job does wrong is Failed, with
// words for the one who wrote it; what the worker was told to give up is Lost.
// After any failure the process is killed.
//
// Units: bytes.
package runner
