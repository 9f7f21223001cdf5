package relay

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/windrow-mr/windrow/store"
)

// TokenSize is the least length of a token.
const TokenSize = 16

// Config configures the service of one connection.
type Config struct {
	// Token is the secret that the other side must know: at least TokenSize
	// random bytes, new for each connection.
	Token []byte
	// Roots are the roots that the other side can ask for, by names that both
	// sides know. They must stay open until Serve returns.
	Roots map[string]*store.Root
	// Root returns a root that Roots does not have, or nil. It is called again
	// for every request, by any number of goroutines. Nil: there are no others.
	Root func(name string) *store.Root
	// Policy says which of their objects it may use.
	Policy *Policy
	// Log receives refusals. Nil: they are not logged.
	Log *slog.Logger
	// Limits bound what the other side may hold here.
	Limits Limits
	// Activity counts the requests to the stores. Nil: they are not counted.
	Activity *Activity
}

// Limits bound what one connection holds in the serving process. Handles cost a
// descriptor each on a file root whose files are not passed. Uploads cost 512
// KiB each, and what a store.Writer of their root holds: up to 24 MiB on a
// remote one, unless its Transfer options say less.
type Limits struct {
	Calls   int // in flight; 0: 256
	Handles int // open; 0: 4,096
	Uploads int // not committed; 0: 32
	// Memory is how many bytes the ranges in transit from a store may take. A
	// range longer than a quarter of it, or than 8 MiB, is several requests. 0:
	// 32 MiB.
	Memory int64
	// Hello is how long the other side may take to identify itself. 0: 30 s.
	Hello time.Duration
}

const maxRange = 8 << 20 // bytes of one request to a store

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		field *int
		value int
	}{{&l.Calls, 256}, {&l.Handles, 4096}, {&l.Uploads, 32}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if l.Memory == 0 {
		l.Memory = 32 << 20
	}
	if l.Hello == 0 {
		l.Hello = 30 * time.Second
	}
	return l
}

// validate returns an error that names the first field with a bad value.
func (c *Config) validate() error {
	switch {
	case len(c.Token) < TokenSize:
		return fmt.Errorf("relay: the token has %d bytes, fewer than %d", len(c.Token), TokenSize)
	case c.Policy == nil:
		return errors.New("relay: there is no policy")
	case c.Limits.Calls < 0, c.Limits.Handles < 0, c.Limits.Uploads < 0, c.Limits.Memory < 0, c.Limits.Hello < 0:
		return errors.New("relay: a limit is negative")
	}
	return nil
}
