package plan

// Usage counts requests to stores of one kind, as a bucket would bill them, and
// their bytes. Requests that were repeated count each time.
type Usage struct {
	Puts       int64 // whole objects written
	Heartbeats int64 // signs of life, overwritten every few seconds; not in Puts
	Multipart  int64 // begins, parts, completions and aborts of uploads
	Gets       int64 // ranges and whole objects read
	Stats      int64 // for an object's size and version
	Lists      int64 // pages
	Deletes    int64
	BytesUp    int64
	BytesDown  int64
	Throttles  int64 // requests that the store refused, to slow us down; also counted above
}

// Fields returns all numbers of u, in an order that never changes: logs use it.
func (u *Usage) Fields() [10]*int64 {
	return [...]*int64{&u.Puts, &u.Heartbeats, &u.Multipart, &u.Gets, &u.Stats, &u.Lists, &u.Deletes, &u.BytesUp, &u.BytesDown, &u.Throttles}
}

// Requests returns the number of requests of all kinds.
func (u Usage) Requests() int64 {
	return u.Puts + u.Heartbeats + u.Multipart + u.Gets + u.Stats + u.Lists + u.Deletes
}

// Plus returns the sum of both counts.
func (u Usage) Plus(o Usage) Usage {
	return u.with(o, func(a, b int64) int64 { return a + b })
}

// Minus returns what was counted since an earlier count.
func (u Usage) Minus(earlier Usage) Usage {
	return u.with(earlier, func(a, b int64) int64 { return a - b })
}

// Max returns the later of two counts of the same requests, number by number.
// Numbers only grow, so it does not matter which count came first, or how
// often.
func (u Usage) Max(o Usage) Usage {
	return u.with(o, func(a, b int64) int64 { return max(a, b) })
}

func (u Usage) with(o Usage, f func(a, b int64) int64) Usage {
	theirs := o.Fields()
	for i, n := range u.Fields() {
		*n = f(*n, *theirs[i])
	}
	return u
}

// Requests are the requests to stores, by the scheme of their URLs: "s3".
type Requests map[string]Usage

// Total returns the requests to all stores.
func (r Requests) Total() Usage {
	var sum Usage
	for _, u := range r {
		sum = sum.Plus(u)
	}
	return sum
}
