package output_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"path"

	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// harvest is an output in memory that holds two parts of the job "harvest".
func harvest(ctx context.Context) *store.Root {
	root, err := store.Open(ctx, "mem://harvest", store.Options{Mem: new(store.MemSpace)})
	if err != nil {
		log.Fatal(err)
	}
	if err := publish(ctx, root, "01JZ0000000000000000000001", output.Fail, "hay\t2\n", "row\t1\n"); err != nil {
		log.Fatal(err)
	}
	return root
}

// publish commits texts as the parts of a job, as the engine does it.
func publish(ctx context.Context, root *store.Root, job plan.JobID, mode output.Mode, texts ...string) error {
	hold, err := output.Reserve(ctx, root, output.Request{Job: job, Name: "harvest", Mode: mode})
	if err != nil {
		return err
	}
	if err := hold.Begin(ctx); err != nil {
		return err
	}
	var parts []plan.Part
	for i, text := range texts {
		name := output.PartName(plan.TaskID{Phase: plan.Reduce, Index: i}, job, 0, ".tsv")
		if err := root.Put(ctx, name, []byte(text), store.Scratch); err != nil {
			return err
		}
		parts = append(parts, plan.Part{Name: name, Size: int64(len(text)), Records: 1})
	}
	if _, err := hold.Commit(ctx, parts); err != nil {
		return err
	}
	return hold.Clean(ctx)
}

// Read returns the manifest: the parts that are the contents of an output, and no
// others that a listing may show.
func ExampleRead() {
	ctx := context.Background()
	root := harvest(ctx)
	manifest, err := output.Read(ctx, root)
	if err != nil {
		log.Fatal(err)
	}
	for _, part := range manifest.Parts {
		text, err := root.Get(ctx, part.Name, part.Size)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %d bytes: %s", part.Name, part.Size, text)
	}
	// Output:
	// part-r-00000-00000001.0.tsv: 6 bytes: hay	2
	// part-r-00001-00000001.0.tsv: 6 bytes: row	1
}

// A directory without a committed output has no manifest. A reader must not take
// the objects in it for data.
func ExampleRead_notCommitted() {
	ctx := context.Background()
	root, err := store.Open(ctx, "mem://empty", store.Options{Mem: new(store.MemSpace)})
	if err != nil {
		log.Fatal(err)
	}
	_, err = output.Read(ctx, root)
	fmt.Println(errors.Is(err, output.ErrNotCommitted), err)
	// Output: true output mem://empty: no committed output: windrow has not written there
}

// A job that may not write an output gets a *Conflict. Append adds to the
// contents.
func ExampleReserve() {
	ctx := context.Background()
	root := harvest(ctx)
	const next = plan.JobID("01JZ0000000000000000000002")
	err := publish(ctx, root, next, output.Fail, "rake\t1\n")
	var conflict *output.Conflict
	fmt.Println("fail:", errors.As(err, &conflict))
	if err := publish(ctx, root, next, output.Append, "rake\t1\n"); err != nil {
		log.Fatal(err)
	}
	manifest, err := output.Read(ctx, root)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("append:", len(manifest.Parts), "parts")
	// Output:
	// fail: true
	// append: 3 parts
}

// IsOutput distinguishes the output of a job, which must be read by its manifest,
// from a directory of data.
func ExampleIsOutput() {
	ctx := context.Background()
	root := harvest(ctx)
	if err := root.Put(ctx, "notes/todo.txt", []byte("mow\n"), store.Scratch); err != nil {
		log.Fatal(err)
	}
	for _, r := range []*store.Root{root, root.Sub("notes")} {
		is, err := output.IsOutput(ctx, r)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(path.Base(r.URL()), is)
	}
	// Output:
	// harvest true
	// notes false
}

// Names that begin with an underscore or a dot are not data.
func ExampleHidden() {
	for _, key := range []string{"part-r-00000.tsv", "_SUCCESS", "_windrow/00000000000000000000", "2026/.tmp/a.txt"} {
		fmt.Println(key, output.Hidden(key))
	}
	// Output:
	// part-r-00000.tsv false
	// _SUCCESS true
	// _windrow/00000000000000000000 true
	// 2026/.tmp/a.txt true
}
