package file

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/driver"
)

// These bound how long TakeBack waits while a lent file is still open: a process
// that is being started has all files of its parent, for a moment.
const (
	takeBackTime  = 2 * time.Second
	takeBackFirst = time.Millisecond
	takeBackMost  = 50 * time.Millisecond
)

var _ driver.Lender = (*upload)(nil)

// Lend gives away the descriptor that can be written to, and keeps one that
// cannot. So a lease shows whether a writable descriptor still exists anywhere:
// open, mapped or on its way.
func (u *upload) Lend() (*os.File, error) {
	kept, err := u.driver.root.OpenFile(u.temp, os.O_RDONLY, 0)
	if err != nil {
		return nil, classify(err)
	}
	// There is a writer now, which a lease must notice.
	if err := lease(kept); !errors.Is(err, syscall.EAGAIN) {
		return nil, kept.Close() // leases do not work on this file system
	}
	// Both hold the lock by which a sweep recognises a file that is being written.
	if err := errors.Join(share(u.file), share(kept)); err != nil {
		return nil, kept.Close()
	}
	lent := u.file
	u.file = kept
	return lent, nil
}

// TakeBack waits until the file is open for writing nowhere.
func (u *upload) TakeBack(ctx context.Context) (int64, error) {
	wait := takeBackFirst
	for until := time.Now().Add(takeBackTime); ; wait = min(2*wait, takeBackMost) {
		err := lease(u.file)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EAGAIN) {
			return 0, classify(err)
		}
		if time.Now().After(until) {
			return 0, driver.Fail(plan.Invalid, "a process still has it open for writing: all of it must be written, and closed, before it is committed")
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
	info, err := u.file.Stat()
	if err != nil {
		return 0, classify(err)
	}
	return info.Size(), nil
}

// lease takes a read lease of f, which fails with EAGAIN while the file is open
// for writing, and returns it.
func lease(f *os.File) error {
	return control(f, func(fd uintptr) error {
		if err := fcntl(fd, syscall.F_SETLEASE, syscall.F_RDLCK); err != nil {
			return err
		}
		return fcntl(fd, syscall.F_SETLEASE, syscall.F_UNLCK)
	})
}

// share turns the lock of f into a shared one, or takes one.
func share(f *os.File) error {
	return control(f, func(fd uintptr) error { return syscall.Flock(int(fd), syscall.LOCK_SH|syscall.LOCK_NB) })
}

func control(f *os.File, do func(fd uintptr) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	controlErr := raw.Control(func(fd uintptr) { err = do(fd) })
	return errors.Join(err, controlErr)
}

func fcntl(fd, command, arg uintptr) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, command, arg); errno != 0 {
		return errno
	}
	return nil
}
