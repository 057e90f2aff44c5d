"""The plan of the house (docs/architecture.md): who may import whom, how many rooms, how long a file."""

from __future__ import annotations

import ast
import graphlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FLOORS = ("common", "backbones", "pretraining", "benchmark")
"""From the ground up: a package imports those before it alone."""
ROOMS = 14
LINES = 400
HEAVY = {"torch", "torchvision", "timm", "mmengine", "mmcv", "mmdet", "mmseg", "pandas", "scipy", "sklearn"}
OURS = [path for name in (*FLOORS, "task_configs") for path in sorted((ROOT / name).rglob("*.py"))]


def imported(path: Path, top_level_only: bool = False) -> set[str]:
    """First parts of the names of the modules a file imports, those of its functions included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = _always_run(tree) if top_level_only else ast.walk(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            found.add(node.module.split(".")[0])
    return found


def _always_run(tree: ast.Module) -> list[ast.stmt]:
    """The statements of a module that run whenever it is imported."""
    checking = [node for node in tree.body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node)]
    return [node for node in tree.body if node not in checking]


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_imports_upwards(path):
    package = path.relative_to(ROOT).parts[0]
    above = {"backbones", "pretraining", "benchmark", "task_configs", "tests"}
    if package in FLOORS:
        above = {*FLOORS[FLOORS.index(package) + 1 :], "task_configs", "tests"}
    else:  # configs are for MMEngine's own tools, too
        above -= {"backbones"}
    assert not imported(path) & above


def test_the_ground_floor_is_light():
    for path in (ROOT / "common").glob("*.py"):
        assert not imported(path, top_level_only=True) & HEAVY, path.name


def test_modules_import_in_no_circle():
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in OURS}
    modules = {name.removesuffix(".__init__"): path for name, path in modules.items()}
    graph = {}
    for name, path in modules.items():
        graph[name] = set()
        for node in _always_run(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                graph[name] |= {alias.name for alias in node.names} & modules.keys()
            elif isinstance(node, ast.ImportFrom):
                inner = {f"{node.module}.{alias.name}" for alias in node.names} & modules.keys()
                graph[name] |= inner or {node.module} & modules.keys()
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_benchmark_is_not_crowded():
    top = {
        path.stem if path.is_file() else path.name
        for path in (ROOT / "benchmark").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    } - {"__init__"}
    assert len(top) <= ROOMS, sorted(top)


@pytest.mark.parametrize("folder", [*FLOORS, "task_configs", "tests"])
def test_no_file_is_long(folder):
    for path in (ROOT / folder).rglob("*.py"):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= LINES, f"{path.relative_to(ROOT)} has {lines} lines"


def test_private_names_stay_in_their_file():
    for path in OURS:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in FLOORS:
                private = [alias.name for alias in node.names if alias.name.startswith("_")]
                assert not private, f"{path.relative_to(ROOT)} imports {private} from {node.module}"


def test_the_plan_names_every_room():
    plan = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for package in FLOORS:
        for path in (ROOT / package).iterdir():
            if (path / "__init__.py").is_file():
                assert f"{path.name}/" in plan, f"docs/architecture.md does not name {package}/{path.name}/"
