package store_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/mem"
)

// A root is a directory, or the part of a bucket below a prefix.
func ExampleOpen() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	root, err := store.Open(ctx, "file://"+dir+"/data", store.Options{CreateDir: true})
	if err != nil {
		log.Fatal(err)
	}
	defer root.Close()
	if err := root.Put(ctx, "greetings/en.txt", []byte("hello"), store.Durable); err != nil {
		log.Fatal(err)
	}
	text, err := root.Get(ctx, "greetings/en.txt", 1<<10)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, remote: %v\n", text, root.Remote())
	// Output: hello, remote: false
}

// A program that has a driver, of its own or of a package like mem, needs no URL.
func ExampleNew() {
	root, err := store.New(new(mem.Space).Open("tests"), store.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer root.Close()
	fmt.Println(root.URL())
	fmt.Println(root.Sub("jobs/7").Name("manifest"))
	// Output:
	// mem://tests
	// mem://tests/jobs/7/manifest
}

// Of all calls with one key exactly one creates the object. The others learn
// what it has written.
func ExampleRoot_CreateOnce() {
	ctx := context.Background()
	root, err := store.Open(ctx, "mem://", store.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range []string{"anna", "ben"} {
		won, existing, err := root.CreateOnce(ctx, "leader", []byte(name))
		switch {
		case err != nil:
			log.Fatal(err)
		case won:
			fmt.Println(name, "leads")
		default:
			fmt.Printf("%s follows %s\n", name, existing)
		}
	}
	// Output:
	// anna leads
	// ben follows anna
}

// A listing is ordered by key, at any depth.
func ExampleRoot_List() {
	ctx := context.Background()
	root, err := store.Open(ctx, "mem://", store.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, key := range []string{"logs/2026-02/b", "logs/2026-01/a", "other"} {
		if err := root.Put(ctx, key, []byte(key), store.Scratch); err != nil {
			log.Fatal(err)
		}
	}
	for o, err := range root.List(ctx, "logs/") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(o.Key, o.Size)
	}
	// Output:
	// logs/2026-01/a 14
	// logs/2026-02/b 14
}

// A handle keeps to one version of an object and reads exact ranges of it.
func ExampleHandle_ReadAt() {
	ctx := context.Background()
	root, err := store.Open(ctx, "mem://", store.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if err := root.Put(ctx, "poem", []byte("To see a World in a Grain of Sand"), store.Scratch); err != nil {
		log.Fatal(err)
	}
	h, err := root.OpenObject(ctx, "poem", "")
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close()
	world := make([]byte, 5)
	if err := h.ReadAt(ctx, world, 9); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s of %d bytes\n", world, h.Size())
	fmt.Println(h.ReadAt(ctx, world, 30))
	// Output:
	// World of 33 bytes
	// read mem:///poem: invalid: the range of 5 bytes at 30 is outside of the object's 33
}

// An object that a Writer writes is invisible before Commit.
func ExampleWriter() {
	ctx := context.Background()
	root, err := store.Open(ctx, "mem://", store.Options{})
	if err != nil {
		log.Fatal(err)
	}
	write := func(key string) error {
		w, err := root.Create(ctx, key, store.CreateOptions{IfAbsent: true})
		if err != nil {
			return err
		}
		defer w.Abort() // does nothing after Commit
		for n := range 3 {
			if _, err := fmt.Fprintf(w, "line %d\n", n+1); err != nil {
				return err
			}
		}
		return w.Commit()
	}
	fmt.Println(write("report"))
	fmt.Println(plan.KindOf(write("report")) == plan.Exists)
	text, err := root.Get(ctx, "report", 1<<10)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", text)
	// Output:
	// <nil>
	// true
	// line 1
	// line 2
	// line 3
}

// Callers branch on the kind of an error. Its text names operation and object.
func ExampleError() {
	ctx := context.Background()
	root, err := store.Open(ctx, "mem://results", store.Options{})
	if err != nil {
		log.Fatal(err)
	}
	_, err = root.Get(ctx, "part-0001", 1<<20)
	switch plan.KindOf(err) {
	case plan.NotFound:
		fmt.Println("not written yet:", err)
	case plan.Unavailable, plan.Throttled:
		fmt.Println("try later:", err)
	default:
		fmt.Println(err)
	}
	// Output: not written yet: get mem://results/part-0001: not found: no such object
}

// Inputs are named by URLs of roots, objects or patterns. Locate splits them.
func ExampleLocate() {
	for _, input := range []string{"s3://bucket/logs/", "s3://bucket/logs/x.txt", "s3://bucket/logs/2026-*/x*.gz"} {
		root, key, err := store.Locate(input)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s %q pattern: %v\n", root, key, store.IsPattern(key))
	}
	// Output:
	// s3://bucket/logs "" pattern: false
	// s3://bucket/logs "x.txt" pattern: false
	// s3://bucket/logs "2026-*/x*.gz" pattern: true
}
