package forecast

import (
	"iter"

	"github.com/windrow-mr/windrow/attempts"

	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle"
	"github.com/windrow-mr/windrow/worker/executor"
)

// Job is the part of a run that is fixed before its first task begins.
type Job struct {
	Table  *attempts.Table
	Inputs []Input
	// Input returns the kind of the store of an input's root.
	Input   func(root string) Store
	Output  Store
	Scratch Store // has the runs and manifests
	// Apart says that Scratch is not in the output.
	Apart bool
	Mode  output.Mode
	Found output.Found
	// PartOnce says that the store's create-once holds for objects of several
	// parts, as the probe of the output finds out.
	PartOnce bool
	Memory   int64 // bytes for one attempt
	// Planning are the requests that planning made.
	Planning plan.Requests
}

// Input is how the objects of an input are read.
type Input struct {
	Lines   bool // records end with a line, so the last one of a section can end after the section
	Headed  bool // the same, and sections also read the beginning of their object
	Probing bool // the same, and sections also read bytes at their ends
	// Scattered says that sections are read at places that only their object knows. One
	// request of each is foreseen, and at least one is made.
	Scattered bool
}

// Sizes are the sizes of the objects that a run writes.
type Sizes struct {
	Runs     []int64 // that map tasks write
	Parts    []int64
	Manifest int64 // of the output
	// Record is the average size of a record of the input.
	Record int64
	// Empty is the share of the shuffle's ranges that hold no pairs, from 0 to 1.
	// They are not requested.
	Empty float64
}

// These sizes are used where nothing is known.
const (
	someRecord   = 100 // bytes of a record
	manifestHead = 300 // bytes of an output's manifest
	manifestPart = 150 // and bytes for each part in it
)

// Estimate returns the sizes of what a run writes, if map tasks write as many bytes
// as they read, and reduce tasks write as many.
func (j *Job) Estimate() Sizes {
	t := j.Table
	s := Sizes{Record: someRecord}
	var total int64
	each := make([]int64, len(t.Splits))
	for i := range t.Splits {
		each[i] = t.Splits[i].Bytes()
		total += each[i]
	}
	switch {
	case t.Stages != nil:
		s.Parts = j.stageParts()
	case t.Partitions == 0:
		s.Parts = each
	default:
		s.Runs, s.Parts = each, make([]int64, t.Partitions)
		for i := range s.Parts {
			s.Parts[i] = total / int64(t.Partitions)
		}
	}
	parts := len(s.Parts)
	if j.Mode == output.Append {
		parts += j.Found.Parts
	}
	s.Manifest = manifestHead + manifestPart*int64(parts)
	return s
}

// Shape returns the shape of the shuffle.
func (j *Job) Shape(s Sizes) shuffle.Shape {
	shape := shuffle.Shape{Runs: len(s.Runs), Partitions: j.Table.Partitions, Memory: j.Memory, Remote: j.Scratch.Remote}
	for _, n := range s.Runs {
		shape.Bytes += n
	}
	return shape
}

// Whole reports whether the forecast of gets is complete. On local stores a shuffle
// is read batch by batch, and requests cost nothing: the forecast leaves them out.
// So it does for a job of several stages.
func (j *Job) Whole() bool {
	return j.Table.Stages == nil && (j.Scratch.Remote || j.Table.Partitions == 0)
}

// Foresee returns all requests of a run, if nothing goes wrong, pairs fit into
// memory, and a line ends less than 64 KiB after its section.
func (j *Job) Foresee(s Sizes) plan.Requests {
	r := clone(j.Planning)
	add(r, j.Output, j.reserve())
	if len(j.Table.Samples) > 0 {
		j.sample(r, s)
	}
	if j.Table.Stages != nil {
		j.stages(r, s)
	} else {
		j.maps(r, s)
		j.reduces(r, s)
	}
	add(r, j.Output, j.commit(s))
	add(r, j.Output, j.clean(s))
	j.sweep(r, s)
	return r
}

// probeParts are the requests that find out whether objects of two parts are
// created once: to write one twice, of which the second time is aborted, and to
// delete it.
var probeParts = plan.Usage{Multipart: 2*4 + 1, Deletes: 1}

// reserve returns the requests of the output's probe and reservation.
func (j *Job) reserve() plan.Usage {
	f := &j.Found
	// A small object is created twice. The loser reads it, and it is deleted.
	u := plan.Usage{Puts: 2, Gets: 1, Deletes: 1}
	if j.Table.Input >= attempts.ProbeBytes && j.Output.Remote {
		u = u.Plus(probeParts)
		if !j.PartOnce {
			u.Multipart-- // the second one was not aborted
		}
	}
	// The log's entries are listed. The newest one and the slot after it are read.
	u = u.Plus(j.Output.list(int(f.Entries)))
	u.Gets += int64(min(f.Entries, 1)) + 1
	if f.Contents {
		u.Stats++ // of _SUCCESS
		u.Gets++  // the manifest
	}
	u = u.Plus(j.Output.list(f.Objects))
	u.Puts++ // the reservation
	// The leftovers of dead jobs are listed and removed.
	u = u.Plus(j.Output.list(f.Tmp)).Plus(j.Output.list(f.Probes)).Plus(j.Output.list(f.Beats))
	u.Deletes += int64(f.Tmp + f.Probes + f.Beats)
	if f.Probes > 0 { // the store's clock is read
		u = u.Plus(plan.Usage{Puts: 1, Stats: 1, Deletes: 1})
	}
	if f.Garbage {
		u = u.Plus(j.Output.list(f.PartNames))
		u.Deletes += int64(f.Dead)
	}
	return u
}

// sample adds the requests of the task that samples keys.
func (j *Job) sample(r plan.Requests, s Sizes) {
	sections, bytes := 0, int64(0)
	for i := range j.Table.Samples {
		sections += len(j.Table.Samples[i].Sections)
	}
	limit := executor.SampleLimit(sections)
	for read := range j.readings(j.Table.Samples) {
		add(r, read.store, plan.Usage{Gets: read.sampled(limit, s.Record)})
		bytes += min(read.section.Length, limit*s.Record)
	}
	if bytes == 0 {
		add(r, j.Scratch, j.Scratch.write(0))
		return
	}
	// Its pairs are written as a sorted run, read back and deleted. Then its
	// manifest is written.
	u := j.Scratch.write(bytes).Plus(j.Scratch.write(0)).Plus(plan.Usage{Deletes: 1})
	if j.Scratch.Remote {
		u.Gets += shuffle.Shape{Runs: 1, Partitions: 1, Bytes: bytes, Memory: j.Memory, Remote: true}.Gets()
	}
	add(r, j.Scratch, u)
}

// readings yields the sections of splits that are read from objects, not generated.
func (j *Job) readings(splits []plan.Split) iter.Seq[*reading] {
	return func(yield func(*reading) bool) {
		for i := range splits {
			for n := range splits[i].Sections {
				section := &splits[i].Sections[n]
				if section.Object.Key == "" && section.Object.ETag == "" {
					continue
				}
				if !yield(&reading{store: j.Input(section.Object.Root), section: section, Input: j.Inputs[splits[i].Input]}) {
					return
				}
			}
		}
	}
}

// maps adds the requests of the map tasks.
func (j *Job) maps(r plan.Requests, s Sizes) {
	for read := range j.readings(j.Table.Splits) {
		add(r, read.store, plan.Usage{Gets: read.all()})
	}
	maps := len(j.Table.Splits)
	for _, n := range s.Runs {
		add(r, j.Scratch, j.Scratch.write(n))
	}
	add(r, j.Scratch, times(maps, j.Scratch.write(0))) // manifests
}

// reduces adds the requests of the reduce tasks, and those of all tasks that write
// parts.
func (j *Job) reduces(r plan.Requests, s Sizes) {
	if j.Table.Partitions > 0 {
		if j.Scratch.Remote {
			gets := float64(j.Shape(s).Gets()) * (1 - s.Empty)
			add(r, j.Scratch, plan.Usage{Gets: int64(gets + 0.5)})
		}
		add(r, j.Scratch, times(j.Table.Partitions, j.Scratch.write(0))) // manifests
	}
	for _, n := range s.Parts {
		add(r, j.Output, j.Output.write(n))
	}
	if len(s.Parts) > 0 {
		// Before the first part the log is read, before and after _SUCCESS is deleted.
		add(r, j.Output, plan.Usage{Gets: 2, Deletes: 1})
	}
	// The commit reads the manifests of all tasks except the sample.
	add(r, j.Scratch, plan.Usage{Gets: int64(len(j.Table.Splits) + j.Table.Partitions)})
}

// commit returns the requests to write the manifest and the entry that makes it the
// contents, to write _SUCCESS, and to look at the log before and after that.
func (j *Job) commit(s Sizes) plan.Usage {
	return j.Output.write(s.Manifest).Plus(plan.Usage{Puts: 2, Gets: 2})
}

// clean returns the requests to remove what is no longer contents, and the
// heartbeat.
func (j *Job) clean(s Sizes) plan.Usage {
	f := &j.Found
	u := plan.Usage{Deletes: 1 + int64(f.Manifests)}.Plus(j.Output.list(f.Manifests + 1))
	left := f.PartNames - f.Dead
	if len(s.Parts) > 0 || f.Garbage {
		u = u.Plus(j.Output.list(left + len(s.Parts)))
	}
	if j.Mode == output.Replace {
		u.Deletes += int64(f.Parts)
	}
	return u
}

// sweep adds the requests to remove runs and manifests, and those that earlier jobs
// left in another root.
func (j *Job) sweep(r plan.Requests, s Sizes) {
	if j.Apart {
		add(r, j.Scratch, times(j.Found.Before, j.Scratch.list(0)))
	}
	objects := len(j.Table.Splits) + j.Table.Partitions + len(s.Runs)
	if len(j.Table.Samples) > 0 {
		objects++
	}
	add(r, j.Scratch, j.Scratch.list(objects).Plus(plan.Usage{Deletes: int64(objects)}))
}
