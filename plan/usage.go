package plan

// Usage counts requests to stores of one kind, as a bucket would bill them, and
// their bytes. Roots on files and in memory count the same operations. Requests
// that were repeated count each time.
type Usage struct {
	Puts       int64 `json:"puts"`       // whole objects written
	Heartbeats int64 `json:"heartbeats"` // signs of life, overwritten every few seconds; not in Puts
	Multipart  int64 `json:"multipart"`  // begins, parts, completions and aborts of uploads
	Gets       int64 `json:"gets"`       // ranges and whole objects read
	Stats      int64 `json:"stats"`      // for an object's size and version
	Lists      int64 `json:"lists"`      // pages, of objects or of uploads
	Deletes    int64 `json:"deletes"`
	BytesUp    int64 `json:"bytesUp"`
	BytesDown  int64 `json:"bytesDown"`
	Throttles  int64 `json:"throttles"` // requests that the store refused to slow the client down, also counted above

	// A root alone knows why it made a request. These two are not in Fields, and
	// so neither in logs nor in messages.
	Retries int64 `json:"-" msgpack:"-"` // requests that were repeated after a failure, also counted above
	Hedges  int64 `json:"-" msgpack:"-"` // gets that were made a second time because they were slow, also in Gets
}

// Fields returns the numbers that logs and messages have, in their order there,
// which never changes.
func (u *Usage) Fields() [10]*int64 {
	return [...]*int64{&u.Puts, &u.Heartbeats, &u.Multipart, &u.Gets, &u.Stats, &u.Lists, &u.Deletes, &u.BytesUp, &u.BytesDown, &u.Throttles}
}

// Requests returns the number of requests of all kinds.
//
//go:noinline
func (u Usage) Requests() int64 {
	return u.Puts + u.Heartbeats + u.Multipart + u.Gets + u.Stats + u.Lists + u.Deletes
}

// Plus returns the sum of two counts.
//
//go:noinline
func (u Usage) Plus(o Usage) Usage {
	return u.with(o, func(a, b int64) int64 { return a + b })
}

// Minus returns what was counted since an earlier count.
//
//go:noinline
func (u Usage) Minus(earlier Usage) Usage {
	return u.with(earlier, func(a, b int64) int64 { return a - b })
}

// Max returns the later of two counts of one thing, by each number. Numbers only
// grow, so it does not matter which count came first, or how often.
//
//go:noinline
func (u Usage) Max(o Usage) Usage {
	return u.with(o, func(a, b int64) int64 { return max(a, b) })
}

func (u Usage) with(o Usage, f func(a, b int64) int64) Usage {
	others := o.Fields()
	for i, n := range u.Fields() {
		*n = f(*n, *others[i])
	}
	u.Retries, u.Hedges = f(u.Retries, o.Retries), f(u.Hedges, o.Hedges)
	return u
}

// Requests are numbers of requests, by the scheme of the stores' URLs: "s3".
type Requests map[string]Usage

// Total returns the requests to all stores.
//
//go:noinline
func (r Requests) Total() Usage {
	var sum Usage
	for _, u := range r {
		sum = sum.Plus(u)
	}
	return sum
}
