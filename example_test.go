package windrow_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

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
