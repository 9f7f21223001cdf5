// Package output is the commit log of an output directory: which parts are
// its contents, and which job may change that.
//
// An output has a log of create-once entries, <out>/_windrow/<seq>:
//
//	reserve   job J is the only writer from here on
//	commit    these parts are the contents now; ends J's reservation
//	release   J gives up; the contents stay as they were
//	stage     J is done, and its parts are kept beside the contents until they are
//	          published, by a commit, or discarded, by a release
//
// Every entry holds the state after it, so the newest entry is the whole state.
// A job appends an entry by create-once, based on the state of the entry
// before. A job that loses the slot reads the winner's entry and decides again.
// So only one of two jobs that reserve at the same time wins, and a job that
// has lost its reservation cannot commit, even if it has not noticed.
//
// A commit names a manifest, an object of its own, that lists all live parts.
// Readers that follow the log see the contents change in one step. _SUCCESS is
// for tools that list directories. It is removed before the first new part
// becomes visible and written last. This package never reads it.
//
// Jobs name their parts after themselves (see PartName). Names identify the
// parts of dead jobs, which are swept. Nothing else is ever deleted. A
// directory that holds objects of other origin is refused.
//
// The master reserves and commits through this package. Everything that reads a
// committed output uses it. A Hold belongs to one job, and several goroutines
// may use it. All errors about permission to write are *Conflict.
package output

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/checksum"
)

// Names within an output directory. Objects whose names begin with an
// underscore or a dot are not data, by the convention of the field's tools.
const (
	Dir         = "_windrow"          // everything of this package
	SuccessName = "_SUCCESS"          // marks a committed output for other tools
	manifestDir = Dir + "/manifests/" // manifests of commits
	beatDir     = Dir + "/beats/"     // signs of life of writers
	tmpDir      = Dir + "/tmp/"       // shuffle data of embedded runs
	probeDir    = Dir + "/probe/"     // objects that test a store
	slotPrefix  = Dir + "/0"          // prefix of all slots' keys
	// FirstEntry is the key of the first entry of every output's log. A
	// directory with this key is an output.
	FirstEntry = Dir + "/00000000000000000000"

	maxSwept    = 64                        // swept jobs that are remembered, in case they still run
	maxManifest = int64(1) << 30            // bytes
	timeFormat  = "2006-01-02 15:04:05 MST" // in messages, which other machines show
)

// TmpKey returns the prefix, ending in a slash, below which a job keeps its
// temporary data when it has no root of its own for that.
func TmpKey(job plan.JobID) string { return tmpDir + string(job) + "/" }

// PartName returns the name of a task's part: part-r-00017-<job>.<run><ext>.
func PartName(task plan.TaskID, job plan.JobID, run int, ext string) string {
	return fmt.Sprintf("part-%c-%05d-%s%s", task.Phase.String()[0], task.Index, token(job, run), ext)
}

// token is the common part of the names of a job's parts: the end of its id, in
// lower case, and how often it was reopened.
func token(job plan.JobID, run int) string {
	return fmt.Sprintf("%s.%d", strings.ToLower(job.Short()), run)
}

// tokenOf returns the token in a part's name, "" for other names.
func tokenOf(name string) string {
	name = name[strings.LastIndexByte(name, '/')+1:]
	fields := strings.SplitN(name, "-", 4)
	if len(fields) != 4 || fields[0] != "part" {
		return ""
	}
	id, rest, ok := strings.Cut(fields[3], ".")
	run, _, _ := strings.Cut(rest, ".")
	if !ok || len(id) != 8 || run == "" {
		return ""
	}
	return id + "." + run
}

// A Mode says what a job does with existing contents.
type Mode string

// The modes.
const (
	Fail    Mode = "fail"    // refuse
	Replace Mode = "replace" // make the job's parts the only contents
	Append  Mode = "append"  // add the job's parts to the contents
)

// ParseMode returns the mode of that name.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case Fail, Replace, Append:
		return m, nil
	default:
		return "", fmt.Errorf("on-exists %q is not one of fail, replace, append", s)
	}
}

// Conflict says that a job may not write an output, or has lost the right to.
type Conflict struct {
	URL  string
	Text string
}

// Error returns the output, the reason, and the remedy.
func (c *Conflict) Error() string { return fmt.Sprintf("output %s: %s", c.URL, c.Text) }

// FailureKind returns plan.Conflict.
func (c *Conflict) FailureKind() plan.Kind { return plan.Conflict }

func isConflict(err error) bool {
	_, ok := errors.AsType[*Conflict](err)
	return ok
}

// Holder is a job that has reserved an output.
type Holder struct {
	Job  plan.JobID `json:"job"`
	Run  int        `json:"run"`
	Mode Mode       `json:"mode"`
	Slot uint64     `json:"slot"` // of its reserve entry
	Host string     `json:"host,omitempty"`
	// Scratch is where the job keeps temporary data, if not in the output.
	Scratch string `json:"scratch,omitempty"`
	// Quiet is how long the job may show no sign of life, in nanoseconds.
	Quiet time.Duration `json:"quiet,omitempty"`
	Time  time.Time     `json:"time"`
}

// Commit refers to the manifest of an output's contents.
type Commit struct {
	Job      plan.JobID `json:"job"`
	Run      int        `json:"run"`
	Slot     uint64     `json:"slot"`
	Manifest string     `json:"manifest"` // key below the output
	Size     int64      `json:"size"`
	CRC32C   uint32     `json:"crc32c"`
	Parts    int        `json:"parts"`
	Records  int64      `json:"records"`
	Time     time.Time  `json:"time"`
	// Replays are the jobs whose bad records are replayed in these contents.
	Replays []Replay `json:"replays,omitempty"`
}

// state is the state after an entry.
type state struct {
	Holder *Holder `json:"holder,omitempty"`
	Newest *Commit `json:"newest,omitempty"`
	// Staged are parts that may become the contents, as long as Newest stays.
	Staged *Commit `json:"staged,omitempty"`
	// Garbage are the tokens of jobs whose parts are not contents.
	Garbage []string `json:"garbage,omitempty"`
}

// entry is one slot of the log.
type entry struct {
	Version int        `json:"version"`
	Kind    string     `json:"kind"`
	Job     plan.JobID `json:"job"`
	Run     int        `json:"run"`
	State   state      `json:"state"`
}

// The kinds of entries.
const (
	entryReserve = "reserve"
	entryCommit  = "commit"
	entryRelease = "release"
	entryStage   = "stage"
)

// entryVersion is the highest version of an entry that this build reads. Version 2 has
// staged parts or replays: a build that does not know them would remove them, and then a
// job could be replayed twice.
const entryVersion = 2

// manifestVersion is the version of manifests.
const manifestVersion = 1

// version returns the lowest version that has all fields that are set.
func (s *state) version() int {
	if s.Staged != nil || s.Newest != nil && len(s.Newest.Replays) > 0 {
		return 2
	}
	return 1
}

// Manifest lists an output's contents.
type Manifest struct {
	Version int         `json:"version"`
	Job     plan.JobID  `json:"job"` // that made it
	Name    string      `json:"name"`
	Run     int         `json:"run"`
	Mode    Mode        `json:"mode"`
	Time    time.Time   `json:"time"`
	Records int64       `json:"records"` // of data, as Bytes
	Bytes   int64       `json:"bytes"`
	Parts   []plan.Part `json:"parts"` // in order of their contents; see Data
}

// names returns the set of the parts' names; nil has none.
func (m *Manifest) names() map[string]bool {
	set := make(map[string]bool)
	if m != nil {
		for i := range m.Parts {
			set[m.Parts[i].Name] = true
		}
	}
	return set
}

// tokens returns the tokens of the jobs that wrote the parts; nil has none.
func (m *Manifest) tokens() []string {
	var tokens []string
	if m != nil {
		for i := range m.Parts {
			tokens = addGarbage(tokens, tokenOf(m.Parts[i].Name))
		}
	}
	return tokens
}

//go:noinline
func slotKey(slot uint64) string { return fmt.Sprintf("%s/%020d", Dir, slot) }

//go:noinline
func beatKey(slot uint64) string { return fmt.Sprintf("%s%020d", beatDir, slot) }

// readSlot returns the entry in a slot. ok is false when the slot is free.
func readSlot(ctx context.Context, root *store.Root, slot uint64) (e entry, ok bool, err error) {
	body, err := root.ReadOnce(ctx, slotKey(slot))
	if plan.KindOf(err) == plan.NotFound {
		return entry{}, false, nil
	}
	if err == nil {
		e, err = parseEntry(root, slot, body)
	}
	return e, err == nil, err
}

func parseEntry(root *store.Root, slot uint64, body []byte) (entry, error) {
	var e entry
	if err := json.Unmarshal(body, &e); err != nil {
		return entry{}, fmt.Errorf("output %s: entry %d of its log is damaged: %w", root.URL(), slot, err)
	}
	if e.Version < 1 || e.Version > entryVersion {
		return entry{}, fmt.Errorf("output %s: entry %d of its log has version %d, this windrow knows up to %d; use a newer windrow",
			root.URL(), slot, e.Version, entryVersion)
	}
	return e, nil
}

// readState returns the newest state and the next free slot.
func readState(ctx context.Context, root *store.Root) (state, uint64, error) {
	var next uint64
	for o, err := range root.List(ctx, slotPrefix) {
		if err != nil {
			return state{}, 0, err
		}
		var slot uint64
		if _, err := fmt.Sscanf(strings.TrimPrefix(o.Key, Dir+"/"), "%d", &slot); err == nil && o.Key == slotKey(slot) {
			next = max(next, slot+1)
		}
	}
	// The listing may be outdated; the slots themselves are not.
	var newest state
	for slot := next - min(next, 1); ; slot++ {
		e, ok, err := readSlot(ctx, root, slot)
		if err != nil {
			return state{}, 0, err
		}
		if !ok {
			if slot < next {
				return state{}, 0, unsettled(fmt.Sprintf("output %s: entry %d of its log is listed but cannot be found; try again", root.URL(), slot))
			}
			return newest, slot, nil
		}
		newest = e.State
	}
}

// unsettled is the error of a log whose listing and entries do not agree.
type unsettled string

// Error returns the text.
func (u unsettled) Error() string { return string(u) }

// FailureKind returns plan.Unavailable: another read may show the same log in both.
func (unsettled) FailureKind() plan.Kind { return plan.Unavailable }

// ErrNotCommitted says that a directory is not a committed output. Its kind is
// plan.NotFound.
var ErrNotCommitted error = notCommitted{}

type notCommitted struct{}

func (notCommitted) Error() string          { return "no committed output" }
func (notCommitted) FailureKind() plan.Kind { return plan.NotFound }

// Read returns the manifest of the contents of the output at root. If there are
// none, the error wraps ErrNotCommitted.
func Read(ctx context.Context, root *store.Root) (*Manifest, error) {
	s, next, err := readState(ctx, root)
	for err == nil && s.Newest != nil {
		m, failed := readManifest(ctx, root, s.Newest)
		if failed == nil {
			return m, nil
		}
		old := *s.Newest
		s, next, err = readState(ctx, root)
		if err != nil || s.Newest == nil || s.Newest.Slot == old.Slot {
			return nil, failed
		} // else newer contents replaced it, and the old manifest is removed
	}
	switch {
	case err != nil:
		return nil, err
	case s.Holder != nil:
		return nil, fmt.Errorf("output %s: %w: job %s began to write it on %s and has not finished", root.URL(), ErrNotCommitted,
			s.Holder.Job, s.Holder.Time.Local().Format(timeFormat))
	case s.Staged != nil:
		return nil, fmt.Errorf("output %s: %w: %s; publish or discard them", root.URL(), ErrNotCommitted, s.Staged.stagedBy())
	case next > 0:
		return nil, fmt.Errorf("output %s: %w: the job that began to write it gave up", root.URL(), ErrNotCommitted)
	default:
		return nil, fmt.Errorf("output %s: %w: windrow has not written there", root.URL(), ErrNotCommitted)
	}
}

// IsOutput reports whether a job has ever written to root. It reads a listing:
// that an object is not found may have other reasons than that it does not
// exist, and uncommitted parts would then count as data.
func IsOutput(ctx context.Context, root *store.Root) (bool, error) {
	for o, err := range root.List(ctx, FirstEntry) {
		return err == nil && o.Key == FirstEntry, err
	}
	return false, nil
}

func readManifest(ctx context.Context, root *store.Root, c *Commit) (*Manifest, error) {
	body, err := root.Get(ctx, c.Manifest, maxManifest)
	if err != nil {
		return nil, err
	}
	if int64(len(body)) != c.Size || checksum.SumCRC32C(body) != c.CRC32C {
		return nil, fmt.Errorf("output %s: manifest %s is not the one that job %s committed: %d bytes, expected %d, or other bytes",
			root.URL(), c.Manifest, c.Job, len(body), c.Size)
	}
	m, err := parseManifest(body)
	if err != nil {
		return nil, fmt.Errorf("output %s: manifest %s: %w", root.URL(), c.Manifest, err)
	}
	return m, nil
}

func parseManifest(body []byte) (*Manifest, error) {
	m := new(Manifest)
	if err := json.Unmarshal(body, m); err != nil {
		return nil, err
	}
	return m, nil
}

// Hidden reports whether a key is not data by the convention of the field's
// tools: one of its segments begins with an underscore or a dot. A segment such as
// _year=2026 is data, since Hive names the directories of a partitioned table after
// columns, whose names can begin with an underscore. Spark reads them, too.
func Hidden(key string) bool {
	for segment := range strings.SplitSeq(key, "/") {
		if strings.HasPrefix(segment, ".") || strings.HasPrefix(segment, "_") && !strings.Contains(segment, "=") {
			return true
		}
	}
	return false
}

// addGarbage notes a job's token.
//
//go:noinline
func addGarbage(tokens []string, t string) []string {
	if t == "" || slices.Contains(tokens, t) {
		return tokens
	}
	return append(slices.Clone(tokens), t)
}
