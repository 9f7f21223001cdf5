package cli

import (
	"errors"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/plan"
)

// Exit statuses. docs/cli.md documents them.
const (
	exitOK          = 0
	exitFailed      = 1
	exitInvalid     = 2
	exitNoMaster    = 3
	exitDenied      = 4
	exitNotFound    = 5
	exitConflict    = 6
	exitLeftOut     = 7 // the job succeeded, without some records
	exitUnmet       = 8 // the output is staged: it does not meet its expectations
	exitInterrupted = 130
)

// statuses are the exit statuses of commands, by the kind of their failure. A job
// that ended without output gives the same status in this process and on a cluster.
var statuses = [...]int{
	plan.Unknown:      exitFailed,
	plan.NotFound:     exitNotFound,
	plan.Exists:       exitFailed,
	plan.Changed:      exitFailed,
	plan.Denied:       exitDenied,
	plan.Throttled:    exitFailed,
	plan.Unavailable:  exitNoMaster, // of a master; see status
	plan.Contended:    exitFailed,
	plan.Corrupt:      exitFailed,
	plan.TooLarge:     exitFailed,
	plan.Invalid:      exitInvalid,
	plan.Interrupted:  exitInterrupted,
	plan.Conflict:     exitConflict,
	plan.Cancelled:    exitFailed,
	plan.NotLeader:    exitNoMaster,
	plan.Failed:       exitFailed,
	plan.Inconsistent: exitFailed,
	plan.Unmet:        exitUnmet,
}

// status returns the exit status of a command that ends with an error. It is never
// 0. A store that is unavailable is a failure of the command: exitNoMaster is only
// for masters.
func status(err error) int {
	if _, ok := errors.AsType[*leftOutError](err); ok {
		return exitLeftOut
	}
	kind := plan.KindOf(err)
	_, ofMaster := errors.AsType[*client.Error](err)
	switch {
	case errors.Is(err, errInterrupted):
		kind = plan.Interrupted
	case kind == plan.Unavailable && !ofMaster, int(kind) >= len(statuses):
		kind = plan.Failed
	}
	return statuses[kind]
}
