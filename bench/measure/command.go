package measure

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Exit codes of the commands.
const (
	ExitFailed      = 1
	ExitUsage       = 2
	ExitInterrupted = 130
)

// Command runs a command's work, and returns its exit code. The context of run
// ends with a signal, and after timeout. misused is the result of reading the
// flags: if it is an error, nothing runs.
func Command(name string, stderr io.Writer, timeout time.Duration, misused error, run func(ctx context.Context) error) int {
	switch {
	case errors.Is(misused, flag.ErrHelp):
		return 0
	case misused != nil:
		fmt.Fprintf(stderr, "%s: %v\n", name, misused)
		return ExitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	limited, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("stopped after %v; -timeout allows more", timeout))
	defer cancel()
	err := run(limited)
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil:
		fmt.Fprintf(stderr, "%s: interrupted; its files are removed\n", name)
		return ExitInterrupted
	case limited.Err() != nil:
		err = context.Cause(limited)
	}
	fmt.Fprintf(stderr, "%s: %v\n", name, err)
	return ExitFailed
}

// Names returns the names of all, with commas between.
func Names[T any](all []T, name func(T) string) string {
	var names []string
	for _, one := range all {
		names = append(names, name(one))
	}
	return strings.Join(names, ",")
}

// Named returns the element of all that a flag names.
func Named[T any](flag, value string, all []T, name func(T) string) (T, error) {
	if i := slices.IndexFunc(all, func(one T) bool { return name(one) == value }); i >= 0 {
		return all[i], nil
	}
	var none T
	return none, fmt.Errorf("%s %q is none of %s", flag, value, Names(all, name))
}

// Listed returns the elements that a flag's list names, in the order of all;
// "all" names all of them.
func Listed[T any](flag, list string, all []T, name func(T) string) ([]T, error) {
	if list == "all" {
		return all, nil
	}
	wanted := strings.Split(list, ",")
	var chosen []T
	for _, one := range all {
		if i := slices.Index(wanted, name(one)); i >= 0 {
			chosen = append(chosen, one)
			wanted = slices.Delete(wanted, i, i+1)
		}
	}
	if len(wanted) > 0 {
		return nil, fmt.Errorf("%s: %q is none of %s", flag, wanted[0], Names(all, name))
	}
	return chosen, nil
}
