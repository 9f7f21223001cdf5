package driver_test

import (
	"context"
	"fmt"
	"log"

	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
)

// logged is a decorator that prints the keys of deletions. It passes all other
// calls on, and Unwrap keeps the optional interfaces of the driver beneath.
type logged struct{ driver.Driver }

func (d logged) Unwrap() driver.Driver { return d.Driver }

func (d logged) Delete(ctx context.Context, key string) error {
	fmt.Println("delete", key)
	return d.Driver.Delete(ctx, key)
}

// A decorator goes into the options of a root.
func ExampleDecorator() {
	ctx := context.Background()
	root, err := store.Open(ctx, "mem://", store.Options{Wrap: func(d driver.Driver) driver.Driver { return logged{d} }})
	if err != nil {
		log.Fatal(err)
	}
	defer root.Close()
	if err := root.Sub("tmp").Delete(ctx, "run-1"); err != nil {
		log.Fatal(err)
	}
	// Output: delete tmp/run-1
}
