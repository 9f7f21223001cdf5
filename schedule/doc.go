// Package schedule has schedules: the times at which a job runs, the interval of data
// that each run covers, and the inputs and the output of that run.
//
// A schedule divides time into periods. A period begins at a tick and ends at the next one,
// so periods cover all of time and never overlap. The run of a period is due when the period
// ends. The start of the period is the nominal time of the run, and names it.
//
// Programs that declare a schedule in Go make a [Spec]. The command line reads one from a
// file with package schedule/yaml. [New] checks a Spec and returns a [Schedule], which
// answers for any time: nothing here reads a clock, waits, or keeps state. The only data
// that the package reads beside its arguments are the tables of time zones.
//
// Values are not changed after they are made, and any number of goroutines may use them.
// Errors of a Spec are of the kind plan.Invalid, and name the field and the mistake. All
// ticks are whole seconds. An interval includes its start and excludes its end.
package schedule
