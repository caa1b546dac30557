"""Mutate modules of safeload, and see whether a test fails: `python -m tests.mutation.run [MODULE ...]`."""

from __future__ import annotations

import argparse
import ast
import importlib
import os
import sys
from pathlib import Path

import tomllib

from tests.mutation.meet import KILLED, ROOT, Trial
from tests.mutation.mutants import mutants_of

HERE = Path(__file__).parent


def table(name):
    """Return what a TOML file beside this one holds."""
    return tomllib.loads((HERE / f"{name}.toml").read_text(encoding="utf-8"))


class Module:
    """A module, its mutants, and what became of each."""

    def __init__(self, path, only=""):
        self.path = path
        self.file = str(ROOT / path)
        self.name = path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        self.tree = ast.parse(Path(self.file).read_text(encoding="utf-8"))
        self.mutants = [mutant for mutant in mutants_of(self.tree) if only in mutant.name]
        self.argued = table("argued").get(path, {})
        self.fates = {}

    def compiled(self, mutant):
        """Return the code of the module with the mutant in it, for a process that ends with the mutant."""
        mutant.apply()
        return compile(ast.fix_missing_locations(self.tree), self.file, "exec", dont_inherit=True)

    def report(self):
        """Print a row: mutants, killed, argued, and left, the ones that live and are not argued; return those."""
        alive = [name for name, fate in self.fates.items() if fate != KILLED]
        left = [name for name in alive if name not in self.argued]
        counts = (len(self.mutants), len(self.mutants) - len(alive), len(alive) - len(left), len(left))
        sys.stdout.write(f"| `{self.path}` | {' | '.join(map(str, counts))} |\n")
        sys.stdout.flush()
        return left


def main():
    """Return 1 where a mutant lives that is not argued."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", help="such as safeload/_forms/hdf5/lzf.py; by default all of the plan")
    parser.add_argument("--only", default="", help="mutants with this text in their names")
    parser.add_argument("--tests", nargs="*", help="test files in place of the planned ones")
    parser.add_argument(
        "--seconds", type=float, default=20, help="of tests that a mutant meets, by their time without it"
    )
    arguments = parser.parse_args()
    os.chdir(ROOT)
    n_left, plan = 0, table("plan")["group"]
    if strays := {*arguments.modules}.difference(*(group["modules"] for group in plan)):
        parser.error(f"add to a group of tests/mutation/plan.toml: {', '.join(sorted(strays))}")
    for group in plan:
        wanted = arguments.modules or group["modules"]
        modules = [Module(path, arguments.only) for path in group["modules"] if path in wanted]
        if modules:
            for name in ("numpy", "h5py", "hypothesis", *group["imports"]):
                importlib.import_module(name)  # once for all mutants; used by none before it has its own process
            Trial(modules, arguments.tests or group["tests"], arguments.seconds).run()
            n_left += sum(len(module.report()) for module in modules)
    return 1 if n_left else 0


if __name__ == "__main__":
    sys.exit(main())
