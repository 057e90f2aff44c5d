"""Reading MMEngine configs: found by short names, changed from the command line, blamed by name."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import PROJECT
from common.errors import UserError, one_line
from common.files import placed
from common.names import closest, suggest

if TYPE_CHECKING:
    from mmengine.config import Config

CONFIGS = PROJECT / "task_configs"


def find_config(name: str | Path, *folders: Path) -> Path:
    """The config file a name means: as given, or below one of `folders`, or below ``task_configs/``.

    Raises:
        UserError: there is none; close names are suggested.
    """
    if not isinstance(name, str | Path) or not str(name).strip() or "\0" in str(name):
        raise UserError(f"config {name!r} is no path: give a file, or its name below {CONFIGS.name}/")
    given = Path(name).expanduser()
    for candidate in (given, *(folder / given for folder in (*folders, CONFIGS, PROJECT))):
        if candidate.is_file():
            return candidate.resolve()
    known = [entry.relative_to(CONFIGS).as_posix() for entry in CONFIGS.glob("*/*.py")]
    raise UserError(f"config {str(name)!r} does not exist: {suggest(str(name), known)}")


def read_config(path: Path, overrides: dict[str, Any] | None = None) -> Config:
    """Read a Python config and apply ``--set`` overrides. Does not import what its custom_imports name.

    Raises:
        UserError: the file is no valid config, or an override names an entry that is not there or cannot be.
    """
    from mmengine.config import Config

    try:
        config = Config.fromfile(str(path), import_custom_modules=False)
    except (Exception, SystemExit) as error:  # a config is a program: it can end in any way
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "no message"
        raise UserError(f"{path} is no valid config ({type(error).__name__}: {reason})") from error
    for key, value in (overrides or {}).items():
        if key.startswith("+"):
            key = key[1:]
        else:
            _check_key(path, config, key)
        try:
            config.merge_from_dict({key: value})
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise UserError(f"--set {key}: {path.name} cannot take this ({one_line(error)})") from error
    return config


def parse_overrides(pairs: Iterable[str], option: str = "--set", example: str = "task.feature=both") -> dict:
    """``--set key=value`` strings as a dict. Values are Python literals; anything else is text.

    A key that is not in the config yet is written ``+key``, so that a misspelt one is an error.

    Args:
        pairs: what the user wrote.
        option, example: of the option that took them, for the message.

    Raises:
        UserError: one of them is no ``key=value``.
    """
    overrides = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key.strip("+. "):
            raise UserError(f"{option} {pair!r}: write {option} key=value, for instance {option} {example}")
        overrides[key.strip()] = _parse(text)
    return overrides


def override_words(overrides: Mapping[str, Any], option: str = "--set") -> list[str]:
    """The command-line words that `parse_overrides` reads back as `overrides`."""
    return [word for key, value in overrides.items() for word in (option, f"{key}={value_text(value)}")]


def value_text(value: Any) -> str:
    """A value as `parse_overrides` reads it: text as it is, unless it could be taken for something else."""
    return value if isinstance(value, str) and _parse(value) == value else repr(value)


def parse_data(pairs: Iterable[str]) -> dict[str, Path]:
    """``--data NAME=PATH`` strings as a dict of absolute paths."""
    data = {}
    for pair in pairs:
        name, equals, path = pair.partition("=")
        if not equals or not name or not path:
            raise UserError(f"--data {pair!r}: write --data NAME=PATH, for instance --data coco=/data/coco")
        data[name.strip()] = placed(path).absolute()
    return data


def check_data_names(names: Iterable[str], read: Iterable[str], reader: str, hint: str = "") -> None:
    """Refuse data that nothing reads: a misspelt name would leave other data in their place.

    Args:
        names: those of ``--data``.
        read: those that mean something.
        reader: who reads them, for the message.
        hint: what to do beside mending the name.

    Raises:
        UserError: the first name that is not read.
    """
    read = list(read)
    for name in names:
        if name not in read:
            raise UserError(
                f"--data {name}=...: {reader} reads no data called {name!r}: {suggest(name, read)}{hint}"
            )


def plain(value: Any) -> Any:
    """A config's content as JSON can hold it: tuples become lists, classes and functions their names."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return str(value)


def _parse(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):  # the latter two: nested too deep
        return {"true": True, "false": False, "none": None}.get(text.lower(), text)


def _check_key(path: Path, config: Config, key: str) -> None:
    node: Any = config
    parts = key.split(".")
    for depth, part in enumerate(parts):
        if isinstance(node, (list, tuple)) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
            continue
        keys = [str(name) for name in node] if hasattr(node, "keys") else []
        if part not in keys:
            siblings = [".".join((*parts[:depth], name)) for name in keys]
            hint = suggest(key, closest(key, _entries(config)) or siblings)
            raise UserError(
                f"--set {key}: {path.name} has no such entry, {hint} (to add one: --set +{key}=...)"
            )
        node = node[part]


def _entries(node: Any, prefix: str = "") -> Iterator[str]:
    """Every entry of a config, by its name with dots."""
    for name in node if hasattr(node, "keys") else ():
        yield f"{prefix}{name}"
        yield from _entries(node[name], f"{prefix}{name}.")
