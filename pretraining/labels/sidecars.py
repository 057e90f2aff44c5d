"""Labels files of captions: beside each goes a sidecar with the synsets of every sample.

A sidecar is ``<file without its ending>.synsets.parquet`` with the columns ``key`` (string) and ``synsets``
(list<int32>: WordNet 3.0 noun offsets, each once, in order of appearance). Its metadata say from which
captions and by which version of the labelling it was made; one that fits is left alone, so a killed or
repeated run goes on where it was. Samples whose caption cannot be used have no row; they are counted and
named.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.files import replacing
from common.machine import cores
from common.processes import Workers
from common.progress import Report, silent
from pretraining.labels import arrays as synset_arrays
from pretraining.labels import captions, synsets
from pretraining.labels.sources import GIVE_FILES, SIDECAR_SUFFIX, Sample, read_captions, stem_of

PROTOCOL = 2  # raised whenever the same caption would get other labels; 2: those of NLTK 3.8.1
_METADATA = "synset_labels"
_FACTS = {
    **dict.fromkeys(("protocol", "count", "unlabelled", "labels", "bad", "size", "modified"), int),
    **{"problems": list, "unknown": dict, "captions": str},
}
_COMMAND = "run `python run_suite.py label {}`"
_BLOCK = 1 << 18  # samples labelled and written at a time
_BYTES_PER_WORKER = 256 << 20  # starting a process for less would take longer than the work
_NAMED_PROBLEMS = 20
_SAMPLED_CAPTIONS = 500  # per file, for the commonest unknown words
# words so common in captions that nobody asks why they are not labelled
_FUNCTION_WORDS = """
    about above after all also am among an and any are around as at be because been before behind being below
    between both but by can could did do does during each etc every for from had has have he her here him his
    how if in into is it its just me more most my near no nor not of off on onto or other our out over own per
    she so some such than that the their them then there these they this those through to too under until up
    upon us very via was we were what when where which while who whom whose why will with within without would
    you your 's n't 're 've 'll 'd 'm
"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())


@dataclass
class LabelSummary:
    """What a labelling run found.

    Attributes:
        files: files labelled now or before.
        reused: those of them whose sidecar was there already.
        captions: captions that have a row.
        labelled_now: those of them that were not labelled before.
        unlabelled: those of them without any synset.
        labels: synsets over all captions.
        bad: samples without a usable caption.
        problems: the first of them, as "file: key: problem".
        unknown: words that are no noun of WordNet, with their counts over the first 500 captions of each
            file.
        seconds: that it took.
    """

    files: int = 0
    reused: int = 0
    captions: int = 0
    labelled_now: int = 0
    unlabelled: int = 0
    labels: int = 0
    bad: int = 0
    problems: list[str] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, facts: dict[str, Any], reused: bool) -> None:
        """Takes in what one sidecar says of itself (``read_facts``)."""
        self.files += 1
        self.reused += reused
        self.captions += facts["count"]
        self.labelled_now += 0 if reused else facts["count"]
        self.unlabelled += facts["unlabelled"]
        self.labels += facts["labels"]
        self.bad += facts["bad"]
        self.problems += facts["problems"][: _NAMED_PROBLEMS - len(self.problems)]
        self.unknown.update(facts["unknown"])

    @property
    def labels_per_caption(self) -> float:
        """Mean number of synsets of a caption."""
        return self.labels / self.captions if self.captions else 0.0

    @property
    def pace(self) -> str:
        """``12,345 captions/s, ``; nothing where every file was labelled before."""
        rate = self.labelled_now / max(self.seconds, 1e-9)
        return f"{rate:,.0f} captions/s, " if rate else ""

    def lines(self) -> list[str]:
        """The summary in words, line by line."""
        share = self.unlabelled / self.captions if self.captions else 0.0
        found = [
            f"{self.captions:,} captions in {self.files:,} files ({self.reused:,} of them labelled before)",
            f"{self.labels_per_caption:.2f} labels per caption; "
            f"{self.unlabelled:,} captions ({share:.1%}) without a label",
        ]
        if self.unknown:
            commonest = sorted(self.unknown.items(), key=lambda item: (-item[1], item[0]))[:10]
            words = ", ".join(f"{word} ({count:,})" for word, count in commonest)
            found.append(f"commonest words that are no noun of WordNet, in a sample: {words}")
        if self.bad:
            found.append(f"{self.bad:,} samples skipped because of their captions:")
            found += [f"  {problem}" for problem in self.problems]
            if self.bad > len(self.problems):
                found.append(f"  and {self.bad - len(self.problems):,} more")
        return found


def sidecar_path(shard: Path, out: Path | None = None) -> Path:
    """Where the labels of a file are: beside it, or in the folder ``out``."""
    shard = Path(shard)
    return (Path(out) if out else shard.parent) / f"{stem_of(shard)}{SIDECAR_SUFFIX}"


def find_sidecars(folder: Path) -> list[Path]:
    """The sidecars in a folder and the folders below it, sorted.

    Raises:
        UserError: there is none.
    """
    found = sorted(Path(folder).rglob(f"*{SIDECAR_SUFFIX}"))
    if not found:
        raise UserError(f"{folder} holds no labels: {_COMMAND.format('SHARDS --out ' + str(folder))}")
    return found


def label_shards(
    shards: Sequence[Path],
    out: Path | None = None,
    workers: int | None = None,
    report: Report = silent,
) -> LabelSummary:
    """Writes the sidecar of every file that has none or a stale one.

    Several processes may work on the same files at once: a sidecar is put in place whole, and whoever comes
    second finds it or writes the same once more.

    Args:
        shards: tar shards, or files of the other formats of ``caption_sources``; sidecars among them are
        skipped.
        out: folder for the sidecars (made if missing); without it they go beside the files.
        workers: processes. Without it one per core, but no more than one per 256 MiB; a single one is this
        one.
        report: told of every file once it is labelled, with how many captions a second that takes.

    Returns:
        Counts over all files, old and new.

    Raises:
        UserError: no files, two files with the same sidecar, files that cannot be read to the end, or no
            usable caption in any. Whatever can be labelled has been when it is raised.
    """
    shards = [Path(shard) for shard in shards if not Path(shard).name.endswith(SIDECAR_SUFFIX)]
    _check_distinct(shards, out)
    if out is not None:
        Path(out).mkdir(parents=True, exist_ok=True)
    summary, failures = LabelSummary(), []
    start = time.monotonic()
    # not forked, because whoever calls may have loaded PyTorch
    with Workers(min(workers or _default_workers(shards), len(shards))) as pool:
        for outcome in pool.map(partial(_label_shard, out=out), shards, chunk=1):
            if isinstance(outcome, UserError):
                failures.append(outcome)
                continue
            facts, reused = outcome
            summary.add(facts, reused)
            summary.seconds = time.monotonic() - start
            report(f"{summary.pace}files", summary.files, len(shards))
    if failures:
        more = f" ({len(failures) - 1} more files are bad)" if len(failures) > 1 else ""
        raise UserError(f"{failures[0]}{more}; {summary.files} of {len(shards)} files are labelled")
    if summary.captions == 0:
        reason = f" ({summary.problems[0]})" if summary.problems else ""
        raise UserError(f"{shards[0]}: no usable caption in the {len(shards)} files given{reason}")
    return summary


def _check_distinct(shards: list[Path], out: Path | None) -> None:
    if not shards:
        raise UserError(f"no files to label: {GIVE_FILES}")
    origin: dict[Path, Path] = {}
    for shard in shards:
        target = sidecar_path(shard, out)
        if (other := origin.setdefault(target, shard)) is not shard:
            raise UserError(
                f"{shard} and {other} have the same sidecar {target}: label them into two folders"
            )


def _default_workers(shards: list[Path]) -> int:
    size = sum(shard.stat().st_size for shard in shards if shard.is_file())
    return min(cores(), 1 + size // _BYTES_PER_WORKER)


Outcome = tuple[dict[str, Any], bool] | UserError


def _label_shard(shard: Path, out: Path | None) -> Outcome:
    """Labels one file unless its sidecar fits: what the sidecar says, and whether it was there."""
    try:
        with suppress(UserError):
            return check_sidecar(shard, out), True
        return _write_sidecar(shard, sidecar_path(shard, out)), False
    except UserError as error:
        return error


def _write_sidecar(shard: Path, target: Path) -> dict[str, Any]:
    import pyarrow
    import pyarrow.parquet

    schema = pyarrow.schema([("key", pyarrow.string()), ("synsets", pyarrow.list_(pyarrow.int32()))])
    samples = read_captions(shard)
    facts = {"protocol": PROTOCOL, "count": 0, "unlabelled": 0, "labels": 0, "bad": 0, "problems": []}
    stamp, clock = _stamp(shard), time.process_time()
    hasher, unknown = hashlib.sha256(), Counter()
    with (
        replacing(target) as temporary,
        pyarrow.parquet.ParquetWriter(
            temporary, schema, compression="zstd", write_page_checksum=True
        ) as writer,
    ):
        while block := list(islice(samples, _BLOCK)):
            _update_digest(hasher, block)
            keys = [key for key, caption, _ in block if caption is not None]
            texts = [caption for _, caption, _ in block if caption is not None]
            ends, values = synset_arrays.label_arrays(texts)
            unknown.update(_unknown_words(texts[: max(0, _SAMPLED_CAPTIONS - facts["count"])]))
            problems = [f"{shard}: {key}: {problem}" for key, _, problem in block if problem]
            facts["count"] += len(texts)
            facts["unlabelled"] += int((ends[1:] == ends[:-1]).sum())
            facts["labels"] += len(values)
            facts["bad"] += len(problems)
            facts["problems"] += problems[: _NAMED_PROBLEMS - len(facts["problems"])]
            lists = pyarrow.ListArray.from_arrays(ends, values)
            writer.write_table(pyarrow.table([pyarrow.array(keys, pyarrow.string()), lists], schema=schema))
        facts["seconds"] = round(time.process_time() - clock, 6)
        facts |= {"captions": hasher.hexdigest()[:32], "unknown": dict(unknown.most_common(100)), **stamp}
        writer.add_key_value_metadata({_METADATA: json.dumps(facts)})
    return facts


def _update_digest(hasher: Any, samples: Iterable[Sample]) -> None:
    """Goes on with the digest of keys and captions; of a caption that cannot be used the problem counts."""
    parts = chain.from_iterable((key, problem or "", caption or "") for key, caption, problem in samples)
    while some := list(islice(parts, 3 * _BLOCK)):
        hasher.update(("\0".join(some) + "\0").encode("utf-8", "surrogatepass"))


def _unknown_words(texts: Iterable[str]) -> Iterator[str]:
    lexicon = synsets.Lexicon.load()
    for text in texts:
        for word in captions.words(captions.clean(text)):
            if (
                word not in FUNCTION_WORDS
                and re.search("[a-z]", word)
                and lexicon.lemmatize(word) not in lexicon
            ):
                yield word


def _stamp(shard: Path) -> dict[str, int]:
    """What tells without reading it that a file is probably the same."""
    status = shard.stat()
    return {"size": status.st_size, "modified": status.st_mtime_ns}


def read_sidecar(shard: Path, out: Path | None = None) -> dict[str, tuple[int, ...]]:
    """The labels of a shard's samples.

    Args:
        shard: the shard (not the sidecar).
        out: the folder that was given when labelling, if any.

    Returns:
        key -> offsets of its synsets; samples without a usable caption are absent.

    Raises:
        UserError: there is no sidecar, or it was made from other captions or by another version. The captions
            themselves are compared only when the shard's size or time of change is another than it was.
    """
    import pyarrow
    import pyarrow.parquet

    facts, target = check_sidecar(shard, out), sidecar_path(shard, out)
    try:
        table = pyarrow.parquet.read_table(target, page_checksum_verification=True)
        lists = table.column("synsets").combine_chunks()
        values, ends = lists.values.to_pylist(), lists.offsets.to_pylist()
        keys = table.column("key").to_pylist()
    except (pyarrow.ArrowException, OSError, ValueError, KeyError, AttributeError, MemoryError) as error:
        raise _damaged(target, shard) from error
    if (len(keys), len(values)) != (facts["count"], facts["labels"]):
        raise _damaged(target, shard)
    return {key: tuple(values[a:b]) for key, (a, b) in zip(keys, pairwise(ends), strict=True)}


def read_facts(sidecar: Path, shard: Path | str = "SHARD") -> dict[str, Any]:
    """What a sidecar says of itself.

    Args:
        sidecar: the file of labels.
        shard: what to label again, for the message of an error.

    Returns:
        protocol, count (rows), unlabelled, labels, bad, problems, unknown, captions (digest of keys and
        captions), size and modified (of the shard), seconds (of one core it took; absent in older ones).

    Raises:
        UserError: it is no sidecar, or of another protocol version.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        facts = json.loads(pyarrow.parquet.read_metadata(sidecar).metadata[_METADATA.encode()])
        protocol = facts.get("protocol")
    except (
        *(pyarrow.ArrowException, OSError, KeyError, TypeError, ValueError, AttributeError),
        *(RecursionError, MemoryError),
    ) as error:
        raise _damaged(sidecar, shard) from error
    if type(protocol) is int and protocol != PROTOCOL:
        raise UserError(
            f"{sidecar} was made by version {protocol} of the labelling, this is {PROTOCOL}: "
            + _COMMAND.format(shard)
        )
    if any(type(facts.get(name)) is not kind for name, kind in _FACTS.items()):
        raise _damaged(sidecar, shard)
    return facts


def _damaged(sidecar: Path, shard: Path | str) -> UserError:
    again = _COMMAND.format(shard)
    return UserError(f"{sidecar} is no file of labels, or damaged: move it away and {again}")


def check_sidecar(shard: Path, out: Path | None = None, folder: Path | None = None) -> dict[str, Any]:
    """Makes sure that a shard's labels are there and are its own, without reading them.

    Args:
        shard: the shard (not the sidecar).
        out: the folder that was given when labelling, if any.
        folder: what the message of an error says to label, if not the shard alone.

    Returns:
        What the sidecar says of itself (``read_facts``).

    Raises:
        UserError: as ``read_sidecar`` does.
    """
    shard, target = Path(shard), sidecar_path(shard, out)
    again = f"{folder or shard}" if out is None else f"{folder or shard} --out {out}"
    command = _COMMAND.format(again)
    if not target.is_file():
        raise UserError(f"{target} is missing: {command}")
    facts = read_facts(target, again)
    if shard.is_file() and any(facts.get(name) != value for name, value in _stamp(shard).items()):
        hasher = hashlib.sha256()
        _update_digest(hasher, read_captions(shard))
        if hasher.hexdigest()[:32] != facts["captions"]:
            raise UserError(f"{target} was made from other captions than {shard} holds now: {command}")
    return facts
