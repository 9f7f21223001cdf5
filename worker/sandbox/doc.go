// Package sandbox starts job processes, limits them, watches them and ends them.
// A worker calls it, once for each slot that has a job; the process may work on
// any number of attempts before it is stopped.
//
// A process starts with: the environment that Config names and nothing of the
// worker's own; standard input empty; standard output and error collected; no
// other descriptors than Config.Files; a process group of its own; no way to gain
// privileges by the programs that it executes.
//
// Limits on Linux:
//
//   - RLIMIT_DATA, RLIMIT_NOFILE, RLIMIT_FSIZE and RLIMIT_CORE. They are set
//     by the worker, with prlimit(2), on a process that has loaded its program
//     and not executed an instruction of it: it starts traced, stops, and is
//     let go. So no helper program is needed, and there is no moment without
//     limits. Where tracing is forbidden, the limits come an instant after the
//     start, and the log says so. RLIMIT_AS is not used: a Go program reserves
//     more than a gigabyte of addresses before it needs any.
//   - A watch over the memory of the process and all that it started, except
//     pages of files, which the system frees when it needs them. It looks every
//     50 ms; between two looks RLIMIT_DATA bounds the process itself.
//   - A control group of its own, where there is one to make it in: its limits of
//     memory and processes hold for all that it starts, and all of it is killed
//     with it, whatever session it is in.
//   - A limit on the time without Progress. The process is first asked for its
//     stacks, by SIGQUIT, which go where its output goes; the stack of
//     a goroutine that is just moving between threads may be missing.
//
// The process dies with the worker, however the worker ends: the kernel kills it
// when the thread that started it ends, and that thread waits here until the
// process has ended. When the process ends, the rest of its group, and all
// descendants that were seen, are killed too. Without a control group a process
// that starts another session and lets its parent die between two looks escapes
// that; it has no descriptor of the worker's.
//
// On other systems there are the group, the environment, the collected output and
// the time limit.
//
// Concurrency: the methods of a Process may be called by any number of
// goroutines. Its own have ended when Wait returns.
//
// Failure: Wait returns nil when the process exited with status 0 by itself, and
// otherwise an [*Exit] that says how it ended.
//
// Units: bytes.
//
// It is part of the engine, and may change between minor versions.
package sandbox
