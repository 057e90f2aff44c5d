"""What is said under the tables of a suite: which truth its figures are for, what they cannot tell."""

from __future__ import annotations

from benchmark.reporting.results import Results


def notes_of(results: Results) -> list[str]:
    """Notes under the tables, each once."""
    notes = list(results.notes)
    for row in results.all_rows:
        if row.status == "done" and row.pretraining_samples is None:
            notes += row.record.notes
        elif row.status in ("failed", "damaged"):
            error = row.error or "unknown error"
            notes.append(f"{row.name} on {row.task}, {row.repetition}, {row.status}: {error}")
    notes += [note for task in results.tasks if (note := _truth_note(results, task))]
    notes += _seed_notes(results) + _cost_notes(results)
    return list(dict.fromkeys(notes))


def _seed_notes(results: Results) -> list[str]:
    """What one seed cannot tell, and what is shown of several."""
    seeds = {results.score(name, task).seeds for name in results.backbones for task in results.tasks} - {0}
    notes = []
    if 1 in seeds:
        notes.append(
            "1 seed: these figures come from one run each. Their intervals say how far the test set "
            "limits them, nothing of other seeds of pre-training and transfer, so that no order of "
            "backbones is a finding yet: repeat with --seeds 3 or more."
        )
    if seeds - {1}:
        notes.append(
            "Several seeds: figures are means, ± is the standard deviation over seeds of pre-training "
            "and transfer; the intervals are the means of the runs' intervals and say how far the test "
            "set limits these runs, nothing of other seeds; differences between backbones are tested over "
            "both."
        )
    return notes


def _cost_notes(results: Results) -> list[str]:
    costs = {name: results.cost(name) for name in results.backbones}
    if not any(cost["seconds"] for cost in costs.values()):
        return []
    notes = [
        "Pre-training was not timed in turns: wall seconds depend on what else the machine did and are "
        "no speed-up. Samples and FLOPs are the same on every machine."
    ]
    for name, cost in costs.items():
        if (seconds := cost["labelling_seconds"]) is not None:
            notes.append(
                f"{name}: mining the labels of the training captions took {seconds:,.1f} s of one core, "
                "once for all trainings on them; it is part of the CPU seconds, not of the wall seconds."
            )
    return notes


def _truth_note(results: Results, task: str) -> str | None:
    """Which truth the intervals of a task are for, and how far off its figures are from it on average."""
    truths, biases, reached = [], [], []
    for _, measure, _ in (column for column in results.columns() if column.task == task and column.metric):
        metrics = [results.score(name, task, measure).metric for name in results.backbones]
        truths += [metric.truth for metric in metrics if metric and metric.truth]
        reached += [metric.coverage for metric in metrics if metric and metric.coverage is not None]
        found = [metric.bias for metric in metrics if metric and metric.bias is not None]
        if found:
            extent = dict.fromkeys(f"{bias:+.1f}" for bias in (min(found), max(found)))
            biases.append(f"{measure} {' to '.join(extent)}")
    if not truths:
        return None
    note = (
        f"{task}: 95 % intervals are for the {' or '.join(dict.fromkeys(truths))} that the test set is a "
        "sample of"
    )
    if biases:
        note += (
            ", not for test sets of this size. The figures are the plain ones of the literature; their "
            f"estimated bias, which the intervals are freed of, is {', '.join(biases)}"
        )
    if reached:
        extent = dict.fromkeys(f"{share:.0f}" for share in (min(reached), max(reached)))
        note += f". In simulated worlds such intervals held the truth in {' to '.join(extent)} %"
    return f"{note}."
