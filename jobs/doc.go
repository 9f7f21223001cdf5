// Package jobs is the vocabulary in which a batch job is written: what is read,
// which functions records pass, how they are grouped, and what is written.
//
// A job in full, which counts words:
//
//	func tokenize(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
//		for w := range bytes.FieldsSeq(line) {
//			emit(w, 1)
//		}
//		return nil
//	}
//
//	var WordCount = jobs.New("wordcount", tokenize, jobs.Sum)
//
//	func main() { windrow.Main(WordCount) }
//
// Every other shape is a constructor, given to [Define], that builds a plan: it
// starts with [Read] or [ReadLines], goes on with functions of this package and
// methods of their results, and ends with Write or WriteTSV. A constructor only
// describes; it sees no data, and it may depend on its parameters alone.
//
// There are three kinds of things in a plan: [Records] are what files hold and
// stages pass on, [Pairs] are what the shuffle carries, and a [Sink] is what is
// committed. A plan has any number of inputs, one shuffle at most, and one
// output.
//
// A []byte that a function is given is borrowed until the function returns, or,
// in a list of values, until the next value; a string is the function's own and
// never changes. emit takes what it is given before it returns.
//
// Functions of one task are called by one goroutine; different tasks call them
// at the same time, so what they share must be safe for that. A function fails
// by returning an error or by panicking, which stops the task with a
// [*RecordError] that names the record. Nothing of a failed task is committed.
//
// Offsets and sizes are bytes.
package jobs
