package jobs

import (
	"fmt"

	"github.com/windrow-mr/windrow/jobs/codec"
)

// Advice for the author of a job about a key that has far more than its share of the
// pairs, by operation.
const (
	adviceReduce   = "use Fold or Aggregate in place of Reduce, or Combine before it, so that pairs are combined before the shuffle; or reduce in two steps, first by the key with a salt"
	adviceReduceBy = "use Combine before ReduceBy, so that pairs are combined before the shuffle; or reduce in two steps, first by the key with a salt"
	adviceSort     = "add a second part to the key, so that its pairs can be divided among tasks"
	adviceJoin     = "use Broadcast for the smaller side in place of the join; or join by the key with a salt, with a copy of the smaller side for each salt"
	adviceCombined = "keep less in the value of a key, such as a sketch of package jobs/sketch in place of all values"
)

// adviceOf returns the advice for pairs that may have a Combine.
func adviceOf[K, V any](in Pairs[K, V], without string) string {
	if in.fold != nil {
		return adviceCombined
	}
	return without
}

// weigh makes the attempts that write the pairs of a shuffle look for keys with far more
// than their share. Key is the codec of the part by which pairs are grouped.
func weigh[K any](n *node, key codec.Key[K], advice string) {
	n.shuffle.exchange.KeyText = func(encoded []byte) string { return describeKey(key, encoded) }
	n.shuffle.exchange.Advice = advice
}

// describeKey returns the text of an encoded key. A codec of the job that fails has failed
// nothing yet: the tasks that read the key report it.
func describeKey[K any](key codec.Key[K], encoded []byte) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("%.200q", encoded)
		}
	}()
	var k K
	if err := key.Decoder()(encoded, &k); err != nil {
		return fmt.Sprintf("%.200q", encoded)
	}
	return keyText(k)
}
