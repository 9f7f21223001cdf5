// Package sandbox starts job processes, limits them, watches them and ends
// them. A worker calls it, once for each slot that has a job; the process may
// work on any number of attempts before it is stopped.
//
// What a process starts with: the environment that Config names and nothing of
// the worker's own; standard input empty; standard output and error collected;
// no other descriptors than Config.Files; a process group of its own; no way to
// gain privileges by the programs that it executes.
//
// What bounds it on Linux:
//
//   - RLIMIT_DATA, RLIMIT_NOFILE, RLIMIT_FSIZE and RLIMIT_CORE. They are set
//     by the worker, with prlimit(2), on a process that has loaded its program
//     and not executed an instruction of it: it starts traced, stops, and is
//     let go. So no helper program is needed, and there is no moment without
//     limits. Where tracing is forbidden, the limits come an instant after the
//     start, and the log says so. RLIMIT_AS is not used: a Go program reserves
//     more than a gigabyte of addresses before it needs any.
//   - A watch over the memory of the process and all that it started, but for
//     pages of files, which the system takes back when it needs them, looked at
//     every 50 ms. Between two looks RLIMIT_DATA holds the process itself.
//   - A control group of its own, where there is one to make it in: its limits of
//     memory and processes hold for all that it starts, and all of it is killed
//     with it, whatever session it is in.
//   - A limit on the time without Progress. The process is first asked for its
//     stacks, by SIGQUIT, which go where its output goes; a goroutine that is
//     just moving from one thread to another may be without.
//
// The process dies with the worker, however that ends: the kernel kills it when
// the thread that started it goes, and that thread waits here until the process
// has ended. When the process ends, all that is left of its group, and of what
// was seen to descend from it, is killed too. Without a control group a process
// that starts another session and lets its parent die between two looks escapes
// that; it has no descriptor of the worker's.
//
// On other systems there are the group, the environment, the collected output
// and the time limit.
//
// Concurrency: the methods of a Process may be called by any number of
// goroutines. Its own have ended when Wait returns.
//
// Failure: Wait returns nil when the process exited with status 0 by itself,
// and else an [*Exit] that says how it ended.
//
// Units: bytes.
package sandbox
