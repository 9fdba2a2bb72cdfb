package verdict_test

import (
	"testing"

	"weir/internal/verdict"
)

func TestZeroBlocks(t *testing.T) {
	t.Parallel()
	var v verdict.Verdict
	if !v.Blocks() || v.Cause != verdict.CauseError || v.Action.String() != "block" {
		t.Errorf("the zero verdict must block for an error: %+v", v)
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for c := verdict.ClassBad; c <= verdict.ClassKnown; c++ {
		if got, ok := verdict.ParseClass(c.String()); !ok || got != c {
			t.Errorf("class %d: %q does not parse back", c, c)
		}
	}
	if _, ok := verdict.ParseClass(""); ok {
		t.Error("the empty class must not parse")
	}
	if verdict.SafetyUpgrade.String() != "upgrade-refused" || verdict.PlaceAnswer.String() != "answer" || verdict.CauseDefault.String() != "default" ||
		verdict.StageDefault.String() != "default" || verdict.AnswerAddress.String() != "address" {
		t.Error("a table of words is out of step with its constants")
	}
	if verdict.Action(9).String() != "invalid" {
		t.Error("an unknown action must say so")
	}
}

func TestWorse(t *testing.T) {
	t.Parallel()
	allow, log, block := verdict.Verdict{Action: verdict.Allow}, verdict.Verdict{Action: verdict.Log}, verdict.Refuse(verdict.SafetyLoop)
	if allow.Worse(log) != log || log.Worse(allow) != log || log.Worse(block) != block || block.Worse(allow) != block {
		t.Error("the stricter verdict must win")
	}
	would := verdict.Verdict{Action: verdict.Log, Observed: true}
	if log.Worse(would) != would || would.Worse(log) != would || would.Worse(block) != block {
		t.Error("a Log that would have blocked stands between Block and Log")
	}
}

func TestVerdictAllocatesNothing(t *testing.T) {
	v := verdict.Verdict{Action: verdict.Allow}
	if n := testing.AllocsPerRun(100, func() { v = v.Worse(verdict.Refuse(verdict.SafetyPort)) }); n != 0 {
		t.Errorf("%v allocations per verdict", n)
	}
}

func TestTraceIsBounded(t *testing.T) {
	t.Parallel()
	var tr verdict.Trace
	for range verdict.MaxSteps + 3 {
		tr.Add(verdict.Step{})
	}
	if len(tr.Steps) != verdict.MaxSteps || tr.Dropped != 3 {
		t.Errorf("%d steps, %d dropped", len(tr.Steps), tr.Dropped)
	}
}
