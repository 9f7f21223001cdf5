package splits

import "github.com/windrow-mr/windrow/plan"

// Frame is the place where a frame of a seekable object begins: at rest, and in
// the decompressed bytes.
type Frame struct{ Offset, Plain int64 }

// Frames divides a seekable object between frames into sections of about target
// bytes at rest, each of which holds some decompressed bytes. The last of
// frames is the end of the frames; bytes behind it belong to the last section.
func Frames(o plan.Object, target int64, frames []Frame) []plan.Section {
	var sections []plan.Section
	begin := 0
	for i := 1; i < len(frames); i++ {
		size := frames[i].Offset - frames[begin].Offset
		plain := frames[i].Plain - frames[begin].Plain
		last := i == len(frames)-1
		// The section with the next frame would also be further from the
		// target.
		full := !last && size+(frames[i+1].Offset-frames[i].Offset)/2 >= target
		if plain == 0 || !full && !last {
			continue
		}
		sections = append(sections, plan.Section{Object: o, Offset: frames[begin].Offset, Length: size,
			PlainOffset: frames[begin].Plain, PlainLength: plain})
		begin = i
	}
	if len(sections) == 0 {
		return whole(o)
	}
	last := &sections[len(sections)-1]
	last.Length = o.Size - last.Offset
	return sections
}

// whole returns an object as one section.
func whole(o plan.Object) []plan.Section { return []plan.Section{{Object: o, Length: o.Size}} }
