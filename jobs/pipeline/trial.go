package pipeline

import "context"

// Trial makes the tasks of a run harder than they need be, to bring faults of
// a job's functions to light. Package jobs/jobstest puts it into the context of
// a run; whoever runs a job for its output leaves it out.
type Trial struct {
	// Overwrite overwrites the bytes that a function was lent as soon as they
	// are borrowed no more.
	Overwrite bool
	// Spill is after how many records a map task spills its pairs; it combines
	// none before that. 0: when its memory is full.
	Spill int
	// Rebuild runs the job's constructor again for every task, as processes of
	// their own would.
	Rebuild bool
	// Once are the values of the plan's Once; nil: they are made anew.
	Once map[string][]byte
}

type trialKey struct{}

// WithTrial returns a context whose runs are held to t.
func WithTrial(ctx context.Context, t Trial) context.Context {
	return context.WithValue(ctx, trialKey{}, t)
}

// TrialOf returns the trial of ctx, which is the zero Trial if there is none.
func TrialOf(ctx context.Context) Trial {
	t, _ := ctx.Value(trialKey{}).(Trial)
	return t
}
