"""The exit codes: one table in the code, which the help of each command and the reference repeat."""

from __future__ import annotations

import re

import pytest

from safeload.cli import main
from safeload.cli._exit_codes import EXIT_CODES, EXITS, exit_codes
from tests.command_line import safeload_cli
from tests.docs.blocks import ROOT
from tests.test_public_api import commands

PAGE = ROOT / "docs/reference/command-line.md"


def rows_of(title):
    """Return the cells of each row of the table that begins with this title."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"^\| {re.escape(title)} \|.*\n\|[ |-]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in found[1].splitlines()]


def test_the_reference_has_the_codes_of_every_command():
    assert rows_of("exit code") == [(f"{code}", text) for code, text in EXIT_CODES.items()]
    wanted = [(f"`{each.usage}`", each.good, each.finding, each.wrong) for each in EXITS.values()]
    assert [tuple(cell.replace("\\|", "|") for cell in row) for row in rows_of("command")] == wanted


def test_every_command_has_its_codes():
    named = {line.partition(" | ")[0].removeprefix("$ safeload").strip() for line in commands(main, "safeload")}

    assert set(EXITS) == named - {"", "check bert", "check elmo", "check weights"}


@pytest.mark.parametrize("command", ["", "check weights", *EXITS])
def test_the_help_ends_with_the_codes(command):
    shown = safeload_cli(*command.split(), "--help").stdout
    rows = exit_codes(command if command in EXITS else command.partition(" ")[0]).splitlines()[1:]

    assert [line.strip() for line in shown.splitlines()[-len(rows) :]] == [line.strip() for line in rows]
