package runner

import (
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

func TestAReduceGoesWhereItsBytesMayBe(t *testing.T) {
	t.Parallel()
	reduce := func(i int) plan.TaskID { return plan.TaskID{Phase: plan.Reduce, Index: i} }
	p := newPool(4)
	mapped := &process{job: "j", last: plan.TaskID{Phase: plan.Map, Index: 12}}
	low, high := &process{job: "j", last: reduce(3)}, &process{job: "j", last: reduce(11)}
	other := &process{job: "k", last: reduce(11)}
	p.idle = []*process{other, mapped, low, high}
	for _, c := range []struct {
		task plan.TaskID
		want *process
	}{
		{reduce(12), high}, {reduce(4), low}, {reduce(11), high}, {reduce(60), high},
		{reduce(2), mapped}, {plan.TaskID{Phase: plan.Map, Index: 12}, mapped},
	} {
		own, _ := p.take("j", c.task)
		if own != c.want {
			t.Errorf("%v goes to a process that had %v", c.task, own.last)
		}
		p.idle = []*process{other, mapped, low, high}
	}
	if own, makesRoom := p.take("l", reduce(12)); own != nil || makesRoom != other {
		t.Error("a process of another job is used, or it is not the one idle for longest that makes room")
	}
}
