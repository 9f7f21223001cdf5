package plan

import "unicode/utf8"

// Heavy are the keys that hold much of what an attempt left for an exchange. They are
// advice for people and no part of the result: keys may be missing, and counts are lower
// bounds.
type Heavy struct {
	Bytes  int64      // of the keys and values of all pairs
	Keys   []HeavyKey `msgpack:",omitempty"` // at most MostHeavy
	Advice string     `msgpack:",omitempty"` // what the author of the job can do about them; "" without Keys
}

// HeavyKey is one of these keys.
type HeavyKey struct {
	Partition int
	Hash      uint64 // of the encoded key
	Text      string // the key for people, cut by KeyText
	Pairs     int64
	Bytes     int64 // of its keys and values
}

// Bounds of Heavy.
const (
	MostHeavy   = 16  // keys
	MostKeyText = 256 // bytes of a text
	MostAdvice  = 512 // bytes of an advice
)

// KeyText cuts the text of a key.
func KeyText(text string) string {
	if len(text) <= MostKeyText {
		return text
	}
	const mark = "…"
	end := MostKeyText - len(mark)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + mark
}

// Skew says that one key has so many of the pairs that a stage reads that the task with
// this key has far more to do than the other tasks.
type Skew struct {
	Stage  string  `json:"stage"`  // "reduce", or "sessions/reduce"
	Task   string  `json:"task"`   // that has the key: "reduce/3"
	Key    string  `json:"key"`    // as text, cut if it is long
	Of     string  `json:"of"`     // what Share and Times measure: "pairs" or "bytes"
	Share  float64 `json:"share"`  // of all that the stage reads, from 0 to 1
	Times  float64 `json:"times"`  // what the task has, by the median of the tasks; 0 if most tasks have nothing
	Pairs  int64   `json:"pairs"`  // of the key
	Bytes  int64   `json:"bytes"`  // of the key, with its values, before compression
	Advice string  `json:"advice"` // what the author of the job can do
}
