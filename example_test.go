package windrow_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/windrow-mr/windrow"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/store"
)

func tokenize(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
	for w := range bytes.FieldsSeq(line) {
		emit(w, 1)
	}
	return nil
}

// A program runs a job, here on roots in its own memory, and reads the committed
// part.
func ExampleRun() {
	ctx := context.Background()
	stores := store.Options{Mem: new(store.MemSpace)}
	root, err := store.Open(ctx, "mem://data", stores)
	if err != nil {
		log.Fatal(err)
	}
	if err := root.Put(ctx, "in/hamlet.txt", []byte("to be or\nnot to be\n"), store.Scratch); err != nil {
		log.Fatal(err)
	}
	result, err := windrow.Run(ctx, jobs.New("words", tokenize, jobs.Sum[int64]), windrow.Options{
		Input: []string{"mem://data/in"}, Output: "mem://data/out", Stores: stores,
	})
	if err != nil {
		log.Fatal(err)
	}
	part, err := root.Get(ctx, "out/"+result.Manifest.Parts[0].Name, 1000)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d records read\n%s", result.Tally.RecordsIn, part)
	// Output:
	// 2 records read
	// be	2
	// not	1
	// or	1
	// to	2
}

// words counts the words of text in memory. It is the job of the examples below.
var words = jobs.New("words", tokenize, jobs.Sum[int64])

// memory returns roots in memory with one object, mem://data/in/<day>.txt, for
// each text.
func memory(texts ...string) (store.Options, *store.Root) {
	stores := store.Options{Mem: new(store.MemSpace)}
	root, err := store.Open(context.Background(), "mem://data", stores)
	if err != nil {
		log.Fatal(err)
	}
	for i, text := range texts {
		if err := root.Put(context.Background(), fmt.Sprintf("in/%d.txt", i+1), []byte(text), store.Scratch); err != nil {
			log.Fatal(err)
		}
	}
	return stores, root
}

// Replace makes the output of a new run the only contents, in one step for
// readers that follow the output's log.
func ExampleRun_replace() {
	stores, _ := memory("hay row\n", "row\n")
	for day := 1; day <= 2; day++ {
		result, err := windrow.Run(context.Background(), words, windrow.Options{
			Input: []string{fmt.Sprintf("mem://data/in/%d.txt", day)}, Output: "mem://data/out", OnExists: "replace", Stores: stores,
		})
		if err != nil {
			log.Fatal(err)
		}
		var records int64
		for _, part := range result.Manifest.Parts {
			records += part.Records
		}
		fmt.Printf("day %d: %d words\n", day, records)
	}
	// Output:
	// day 1: 2 words
	// day 2: 1 words
}

// Append adds the parts of each run to the contents. Here every day has a run of
// its own.
func ExampleRun_append() {
	stores, _ := memory("hay row\n", "row\n", "rake\n")
	for day := 1; day <= 3; day++ {
		result, err := windrow.Run(context.Background(), words, windrow.Options{
			Input: []string{fmt.Sprintf("mem://data/in/%d.txt", day)}, Output: "mem://data/out", OnExists: "append", Partitions: 1, Stores: stores,
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("day %d: %d of %d parts are new\n", day, result.Parts, len(result.Manifest.Parts))
	}
	// Output:
	// day 1: 1 of 1 parts are new
	// day 2: 1 of 2 parts are new
	// day 3: 1 of 3 parts are new
}

// The kind of an error says what a caller can do about it. Without OnExists a run
// does not touch the output of another.
func ExampleError() {
	stores, _ := memory("hay row\n")
	for _, input := range []string{"mem://data/in", "mem://data/in", "mem://data/missing"} {
		_, err := windrow.Run(context.Background(), words, windrow.Options{Input: []string{input}, Output: "mem://data/out", Stores: stores})
		var failed *windrow.Error
		switch {
		case err == nil:
			fmt.Println("done")
		case errors.As(err, &failed) && failed.Kind == windrow.Conflict:
			fmt.Println("the output exists: replace it, or append to it")
		case errors.As(err, &failed) && failed.Kind == windrow.NotFound:
			fmt.Println(err)
		default:
			log.Fatal(err)
		}
	}
	// Output:
	// done
	// the output exists: replace it, or append to it
	// input mem://data/missing: there is no such object, directory or prefix
}

// Parameters are texts by name, as users type them. The errors of several are
// reported together.
func ExampleOptions_parameters() {
	type params struct {
		Longest int  `help:"leave out longer words"`
		Fold    bool `help:"count upper and lower case as one"`
	}
	job := jobs.Define("short-words", params{Longest: 3}, func(p *jobs.Pipeline, a params) error {
		lines := jobs.ReadLines(p)
		if a.Fold {
			lines = jobs.Convert(lines, bytes.ToLower)
		}
		counts := jobs.Map(lines, tokenize).Fold(jobs.Sum)
		counts.Filter(func(c jobs.Pair[[]byte, int64]) bool { return len(c.Key) <= a.Longest }).WriteTSV()
		return nil
	})
	stores, root := memory("Hay hay harvest\n")
	result, err := windrow.Run(context.Background(), job, windrow.Options{
		Input: []string{"mem://data/in"}, Output: "mem://data/out", Params: map[string]string{"fold": "true"}, Partitions: 1, Stores: stores,
	})
	if err != nil {
		log.Fatal(err)
	}
	part, err := root.Get(context.Background(), "out/"+result.Manifest.Parts[0].Name, 1000)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", part)
	// Output: hay	2
}

// Plain paths are files. Compress makes the parts smaller; readers recognize them
// by their names.
func ExampleOptions_files() {
	dir, err := os.MkdirTemp("", "words-*")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	in, out := filepath.Join(dir, "hamlet.txt"), filepath.Join(dir, "counts")
	if err := os.WriteFile(in, []byte("to be or\nnot to be\n"), 0o600); err != nil {
		log.Print(err)
		return
	}
	result, err := windrow.Run(context.Background(), words, windrow.Options{Input: []string{in}, Output: out, Compress: "gzip", Partitions: 1})
	if err != nil {
		log.Print(err)
		return
	}
	part := result.Manifest.Parts[0]
	_, err = os.Stat(filepath.Join(out, part.Name))
	fmt.Println(filepath.Ext(part.Name), part.Records, "records, exists:", err == nil)
	// Output: .gz 4 records, exists: true
}

// A program submits a job to the cluster that the windrow command uses, follows it, and
// reads what it wrote. The key makes a second call return the same job.
func ExampleSubmit() { //nolint:testableexamples // it needs a cluster; docs/chain is run by tests
	windrow.Init(words) // at the beginning of main: workers start this program, too
	ctx := context.Background()
	job, err := windrow.Submit(ctx, words, windrow.SubmitOptions{
		Input: []string{"s3://logs/2026-11-28/"}, Output: "s3://counts/2026-11-28", Key: "words-2026-11-28",
		Progress: func(p windrow.Progress) { log.Printf("%s %.0f %%", p.Phase, 100*p.Fraction) },
	})
	if err != nil {
		log.Fatal(err)
	}
	end, err := job.Wait(ctx)
	if err != nil {
		log.Fatal(err) // as of Run: the record, and why the function failed on it
	}
	fmt.Println(end.Result.Records, "words")
	for line, err := range job.Lines(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n", line)
	}
}
