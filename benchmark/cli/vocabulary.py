"""``vocabulary``: mined labels, or CoreNet's pickle, to the classes of CatLIP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.options import DebugOption

if TYPE_CHECKING:
    from benchmark.running.console import Display
    from pretraining.labels.vocabulary import Vocabulary

PAPER_MIN_COUNT = 501  # the paper keeps synsets in more than V_tau = 500 captions


def command(
    labels: Annotated[
        list[Path] | None, typer.Argument(help="Files of labels (*.synsets.parquet), or folders of them.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The csv to write.")] = Path("vocabulary.csv"),
    min_count: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Leave out synsets of fewer captions. The paper's 'more than 500' is 501.",
            show_default="501; 1 with --max-size or --from-corenet",
        ),
    ] = None,
    max_size: Annotated[
        int | None, typer.Option(min=1, help="Keep only the commonest so many.", show_default="all")
    ] = None,
    from_corenet: Annotated[
        Path | None, typer.Option("--from-corenet", metavar="FILE.pkl", help="Import CoreNet's vocabulary.")
    ] = None,
    metadata: Annotated[
        Path | None,
        typer.Option(
            "--metadata", metavar="FILE.pkl", help="Also import CoreNet's metadata, to a json beside the csv."
        ),
    ] = None,
    to_corenet: Annotated[
        Path | None, typer.Option("--to-corenet", metavar="FILE.pkl", help="Also write it for CoreNet.")
    ] = None,
    plots: Annotated[
        Path | None, typer.Option("--plots", help="Folder for plots of all synsets, with their numbers.")
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Count mined synsets over files of labels and keep the common ones: the classes that CatLIP learns.

    Example: [bold]python run_suite.py vocabulary cc3m/train --out cc3m/vocabulary.csv --plots plots[/bold]
    """
    from benchmark.running.console import Display, say
    from common.errors import UserError
    from common.files import check_apart
    from common.interrupt import stoppable
    from pretraining.labels.corenet_vocabulary import read_corenet_vocabulary, write_corenet_vocabulary

    if bool(labels) == bool(from_corenet):
        raise UserError("give either files of labels (or folders of them), or --from-corenet FILE.pkl")
    found = [path for entry in labels or [] for path in _sidecars(entry)]
    sidecars = list({path.resolve(): path for path in found}.values())  # each counts once
    check_apart([out, to_corenet], [*sidecars, *filter(None, (from_corenet, metadata))])
    if min_count is None:
        min_count = 1 if from_corenet or max_size else PAPER_MIN_COUNT
    with stoppable(), Display() as display:
        if metadata is not None:
            _import_metadata(metadata, out.with_suffix(".metadata.json"), display)
        counted = read_corenet_vocabulary(from_corenet) if from_corenet else _count(sidecars, display)
        if plots is not None:
            from benchmark.reporting.label_plots import write_corpus_plots
            from pretraining.labels.vocabulary import labels_per_caption

            histogram = labels_per_caption(sidecars) if sidecars else None
            for path in write_corpus_plots(counted, histogram, plots):
                display.line(str(path))
        vocabulary = counted.cut(min_count, max_size)
        vocabulary.save(out)
        if to_corenet is not None:
            display.line(str(write_corenet_vocabulary(vocabulary, to_corenet)))
    commonest = ", ".join(vocabulary.names[:5])
    say(
        f"{out}: {len(vocabulary):,} of {len(counted):,} synsets, each in {vocabulary.counts[-1]:,} captions "
        f"or more; commonest: {commonest}"
    )


def _sidecars(entry: Path) -> list[Path]:
    """A file of labels itself, or those of a folder."""
    from common.errors import UserError
    from pretraining.labels.sidecars import find_sidecars
    from pretraining.labels.sources import SIDECAR_SUFFIX

    if not entry.is_dir() and not entry.name.endswith(SIDECAR_SUFFIX):
        raise UserError(
            f"{entry} is no file of labels: label it (python run_suite.py label {entry}), and give the file "
            f"*{SIDECAR_SUFFIX} that this writes"
        )
    return find_sidecars(entry) if entry.is_dir() else [entry]


def _count(sidecars: list[Path], display: Display) -> Vocabulary:
    from pretraining.labels.vocabulary import Vocabulary

    job = display.job("count synsets")

    def shown() -> Iterator[Path]:
        for done, path in enumerate(sidecars):
            job.report("files", done, len(sidecars))
            yield path

    try:
        counted = Vocabulary.count(shown())
    finally:
        job.drop()
    job.finish(f"{len(sidecars):,} files of labels")
    return counted


def _import_metadata(pickled: Path, target: Path, display: Display) -> None:
    from common.files import write_json
    from pretraining.labels.corenet_vocabulary import read_corenet_metadata

    metadata = read_corenet_metadata(pickled)
    write_json(target, metadata.as_json())
    display.line(
        f"{target}: {len(metadata.tar_file_names):,} tar files, at most {metadata.most_captions:,} captions"
    )
