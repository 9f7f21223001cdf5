// Package jobs has what a batch job is made of: the input that it reads, the
// functions that records pass, how they are grouped, and the output.
//
// A complete job, which counts words:
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
// A job of any other shape is a constructor, given to [Define], that builds a
// [Pipeline]: it starts with [Read] or [ReadLines], continues with functions of
// this package and methods of their results, and ends with Write or WriteTSV. A
// constructor only describes. It sees no data, and it may depend only on its
// parameters.
//
// A pipeline has three kinds of things: [Records], which files hold and stages
// pass on, [Pairs], which the shuffle carries, and a [Sink], which is committed.
// It has any number of inputs, at most one shuffle, and one output.
//
// A function borrows each []byte argument until it returns; a []byte in a list of
// values, until the next value. A string is the function's own and never changes.
// emit encodes its arguments before it returns.
//
// One goroutine calls the functions of a task. Different tasks call them at the
// same time, so what they share must be safe for that. A function fails by
// returning an error or by panicking. That stops the task with a [*RecordError]
// that names the record. Nothing of a failed task is committed.
//
// Offsets and sizes are bytes.
package jobs
