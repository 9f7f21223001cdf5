package pipeline

import "context"

// Trial makes the tasks of a run harder than necessary, to reveal faults of a
// job's functions. Package jobs/jobstest puts it into the context of a run.
// Runs that want the job's output leave it out.
type Trial struct {
	// Overwrite overwrites the bytes that a function borrowed when the
	// borrowing ends.
	Overwrite bool
	// Spill is the number of records after which a map task spills its pairs.
	// It combines none before that. 0: when its memory is full.
	Spill int
	// Rebuild runs the job's constructor again for every task, as separate
	// processes would.
	Rebuild bool
	// Once are the values of the pipeline's Once. Nil: the constructor computes
	// them.
	Once map[string][]byte
}

type trialKey struct{}

// WithTrial returns a context whose runs use t.
func WithTrial(ctx context.Context, t Trial) context.Context {
	return context.WithValue(ctx, trialKey{}, t)
}

// TrialOf returns the trial of ctx, which is the zero Trial if there is none.
//
//go:noinline
func TrialOf(ctx context.Context) Trial {
	t, _ := ctx.Value(trialKey{}).(Trial)
	return t
}
