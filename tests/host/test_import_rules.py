"""Import rules between packages and unique class names, checked on the sources without running them."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOST = {"edgepatho": ROOT / "edgepatho", "edgepatho.exporters": ROOT / "exporters"}
DEVICE = {"edgepatho_runtime": ROOT / "runtime" / "src" / "edgepatho_runtime"}
BENCHMARKS = {"benchmarks": ROOT / "benchmarks"}

# What each package must not import.
FORBIDDEN = {
    "edgepatho": ["edgepatho_runtime", "benchmarks"],
    "edgepatho_runtime": ["edgepatho", "benchmarks"],
    "edgepatho.model": ["edgepatho.quantize", "edgepatho.exporters", "edgepatho.compression"],
    "edgepatho.quantize": ["edgepatho.exporters", "edgepatho.compression", "edgepatho.evaluate"],
    "edgepatho.exporters": ["edgepatho.quantize", "edgepatho.compression", "edgepatho.evaluate"],
    "edgepatho.evaluate": ["edgepatho.quantize", "edgepatho.compression"],
    "edgepatho.report": ["edgepatho.exporters", "edgepatho.compression", "edgepatho.evaluate"],
    "edgepatho.deploy": ["edgepatho.quantize", "edgepatho.compression", "edgepatho.evaluate"],
    "edgepatho_runtime.bundle": ["edgepatho_runtime.plan", "edgepatho_runtime.scoring", "numpy"],
    "edgepatho_runtime.plan": ["edgepatho_runtime.scoring", "edgepatho_runtime.bench", "numpy"],
    "edgepatho_runtime.scoring": ["edgepatho_runtime.bench", "numpy"],
}


@cache
def sources() -> dict[str, ast.Module]:
    """Every module of the repository by name, parsed."""
    modules = {}
    for package, folder in (HOST | DEVICE | BENCHMARKS).items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            name = ".".join([package, *parts]).removesuffix(".__init__")
            modules[name] = ast.parse(path.read_text(encoding="utf-8"))
    return modules


def imports(module: ast.Module, *, of_types: bool) -> Iterator[str]:
    """Every module that `module` imports anywhere; `of_types` adds those needed only for types."""
    typing_only = {
        id(node)
        for block in ast.walk(module)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(module):
        if id(node) in typing_only and not of_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in sources() else str(node.module)


def inside(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def package_of(name: str) -> str:
    """The package of a module; a top-level module is its own package."""
    return ".".join(name.split(".")[:2])


@pytest.mark.parametrize("package", FORBIDDEN)
def test_a_package_imports_only_what_it_may(package):
    members = {name: module for name, module in sources().items() if inside(name, package)}
    assert members, f"there is no {package}"
    broken = [
        f"{name} imports {imported}"
        for name, module in members.items()
        for imported in imports(module, of_types=True)
        if any(inside(imported, other) for other in FORBIDDEN[package])
    ]
    assert not broken


@pytest.mark.parametrize("distribution", ["edgepatho", "edgepatho_runtime"])
def test_there_are_no_circular_imports_between_packages(distribution):
    needs: dict[str, set[str]] = defaultdict(set)
    for name, module in sources().items():
        if not inside(name, distribution) or name == distribution:
            continue
        for imported in imports(module, of_types=False):
            if inside(imported, distribution) and imported != distribution:
                needs[package_of(name)].add(package_of(imported))
    for package, others in needs.items():
        others.discard(package)
    TopologicalSorter(needs).prepare()  # raises CycleError, which names the cycle


@pytest.mark.parametrize("distribution", [HOST | BENCHMARKS, DEVICE], ids=["host", "device"])
def test_class_names_are_unique(distribution):
    places: dict[str, list[str]] = defaultdict(list)
    for name, module in sources().items():
        if any(inside(name, package) for package in distribution):
            for node in module.body:
                if isinstance(node, ast.ClassDef):
                    places[node.name].append(name)
    assert {name: where for name, where in places.items() if len(where) > 1} == {}
