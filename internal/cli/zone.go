package cli

import (
	"os"
	"time"
)

// callsJobs reports whether a command calls functions of jobs in this process.
func callsJobs(command string) bool {
	return takesJobs(command) || command == "jobs" || command == describeName
}

// universalTime sets the local time zone of this process to UTC. Workers start job
// processes with UTC: a job must not give another result because of the machine, or of
// the command, that runs it.
func universalTime() {
	time.Local = time.UTC      //nolint:gosmopolitan // functions of jobs read it
	_ = os.Setenv("TZ", "UTC") // for programs that functions start; UTC is a valid value
}
