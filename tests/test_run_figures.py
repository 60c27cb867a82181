"""What is read out of the tallies of runs."""

from events import log
from runs import figures, tallies
from tests.conftest import Door
from tests.runs import go_on, start
from tests.steps import let_deadline_pass


def test_totals_add_up_over_agents_and_leave_other_tallies_alone(db: None) -> None:
    for stream in ("janitor", "rogue"):
        with log.unit_of_work():
            log.count(stream, {**tallies.asked("api_call"), "requests.ended.fulfilled": 1})

    assert figures.totals() == {"run.asked:api_call": 2}


def test_the_median_is_the_bucket_in_which_the_middle_answer_lies() -> None:
    counted = {
        "run.asked:payload_review": 5,
        "run.latency:payload_review:5": 1,
        "run.latency:payload_review:900": 2,
        "run.latency:payload_review:inf": 1,
        "run.asked:information_review": 2,
    }

    first, second = figures.stops(counted)

    assert (first.step, first.asked, first.answered, first.within) == ("information_review", 2, 0, None)
    assert (second.answered, second.within) == (4, 900)
    beyond = figures.stops({"run.latency:api_call:inf": 3, "run.latency:api_call:5": 1})
    assert beyond[0].within == float("inf")


def test_the_most_frequent_failures_come_first_whatever_their_models_are_called() -> None:
    counted = {
        "run.failed": 9,
        "run.failure:provider_error:api_call:replicate:owner/name:version": 2,
        "run.failure:unknown_tool:payload_review:gone:": 3,
        "run.failure:cut": 1,
        **{f"run.failure:rare:{number}:http:": 1 for number in range(9)},
    }

    found = figures.failures(counted)

    assert (found[0].code, found[0].tool, found[0].model, found[0].count) == ("unknown_tool", "gone", "", 3)
    assert (found[1].tool, found[1].model) == ("replicate", "owner/name:version")
    assert len(found) == 5


def test_silence_is_no_answer_of_a_person(agent: Door) -> None:
    config = {"policy": "require_human", "on_timeout": "reject"}
    run_id = start(agent, config=config, run_input={"tool": "http"})
    let_deadline_pass(go_on(run_id).checkpoints.get().approval_id)

    assert go_on(run_id).status == "cancelled"
    counted = figures.totals()
    assert counted["run.answered:information_review:expire"] == 1
    assert not [name for name in counted if name.startswith("run.latency")]
