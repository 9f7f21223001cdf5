package store

import "context"

// Roots opens the roots that a job names.
type Roots interface {
	// Locate splits the URL of an input into a root that Get opens and a key or
	// a pattern in it, as store.Locate does.
	Locate(url string) (rootURL, key string, err error)
	// Get opens a root, and makes its directory if create is set. Of each URL
	// it returns the same root every time.
	Get(ctx context.Context, url string, create bool) (*Root, error)
	// Opened returns a root that Get has opened before.
	Opened(url string) (*Root, error)
}
