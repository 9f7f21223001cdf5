// Command child is a job process that behaves badly in one of many ways.
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	arg := ""
	if len(os.Args) > 2 {
		arg = os.Args[2]
	}
	switch os.Args[1] {
	case "exit":
		code, _ := strconv.Atoi(arg)
		fmt.Println("to stdout")
		fmt.Fprintln(os.Stderr, "to stderr")
		os.Exit(code)
	case "panic":
		panicky(arg)
	case "segv":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSEGV) // as code in another language would
		time.Sleep(time.Minute)
	case "killed":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		time.Sleep(time.Minute)
	case "fault":
		debug.SetPanicOnFault(false)
		var p *int
		fmt.Println(*p)
	case "loop":
		fmt.Println("looping")
		for i := 0; ; i++ {
			if i < 0 {
				return
			}
		}
	case "deadlock":
		fmt.Println("waiting")
		go func() {
			time.Sleep(time.Hour) // so that the runtime does not see a deadlock
		}()
		waitForEver(make(chan int))
	case "mute":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("mute")
		time.Sleep(time.Hour)
	case "sleep":
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGTERM)
		fmt.Println("asleep")
		<-c
	case "fork", "session":
		fork(arg)
	case "escape":
		escape(arg)
	case "flood":
		flood()
	case "hoard":
		hoard()
	case "kin":
		kin()
	case "look":
		look()
	case "open":
		openMany()
	case "grow":
		grow(arg)
	case "relay":
		if err := copyUpper(arg == "die"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func panicky(what string) { panic("the job cannot " + what) }

func waitForEver(c chan int) { <-c }

// fork starts a process that outlives this one, in a session of its own if
// asked for, prints its id, and waits until descriptor 3 is closed.
func fork(how string) {
	c := exec.Command(os.Args[0], "sleep")
	if how == "session" {
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	}
	c.Stdout = os.Stdout
	if err := c.Start(); err != nil {
		fmt.Println(err)
		os.Exit(9)
	}
	fmt.Println("forked", c.Process.Pid)
	_, _ = bufio.NewReader(os.NewFile(3, "wait")).ReadByte()
}

// escape lets a grandchild, in a session of its own, lose its parent before a
// look of the watch. It prints the grandchild's id.
func escape(how string) {
	c := exec.Command(os.Args[0], "escape", "grandchild")
	if how == "grandchild" {
		c = exec.Command(os.Args[0], "sleep")
	}
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	c.Stdout = os.Stdout
	if err := c.Start(); err != nil {
		fmt.Println(err)
		os.Exit(9)
	}
	if how == "grandchild" {
		fmt.Println("forked", c.Process.Pid)
		return
	}
	_ = c.Wait()
	_, _ = bufio.NewReader(os.NewFile(3, "wait")).ReadByte()
}

func flood() {
	w := bufio.NewWriter(os.Stdout)
	for i := range 400_000 {
		fmt.Fprintf(w, "line %d of a job that prints everything\n", i)
	}
	fmt.Fprint(w, "the last words")
	_ = w.Flush()
}

// hoard takes memory without end.
func hoard() {
	var all [][]byte
	for {
		b := make([]byte, 1<<20)
		for i := range b {
			b[i] = byte(i)
		}
		all = append(all, b)
		time.Sleep(2 * time.Millisecond)
	}
}

// kin lets a child of its own take the memory.
func kin() {
	c := exec.Command(os.Args[0], "hoard")
	_ = c.Run()
}

// look prints environment, descriptors, directory, group and limits.
func look() {
	for _, v := range os.Environ() {
		fmt.Println("env", v)
	}
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, e := range fds {
		to, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && !strings.Contains(to, "anon_inode") {
			fmt.Println("fd", e.Name(), to)
		}
	}
	dir, _ := os.Getwd()
	fmt.Println("dir", dir)
	fmt.Println("leads", syscall.Getpgrp() == os.Getpid())
	limits, _ := os.ReadFile("/proc/self/limits")
	fmt.Print(string(limits))
	status()
}

func status() {
	text, _ := os.ReadFile("/proc/self/status")
	fmt.Print(string(text))
}

func openMany() {
	for n := 0; ; n++ {
		if _, err := os.Open("/dev/null"); err != nil {
			fmt.Println("opened", n, err)
			return
		}
	}
}

// grow writes a file until it may not.
func grow(path string) {
	signal.Ignore(syscall.SIGXFSZ)
	f, err := os.Create(path)
	for err == nil {
		_, err = f.Write(make([]byte, 64<<10))
	}
	fmt.Println("wrote until", err)
}
