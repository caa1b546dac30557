"""List what the exit codes mean: of every command, and of each."""

from __future__ import annotations

from typing import NamedTuple

from safeload._bytes.system import SIGNALS_FROM
from safeload.cli._ending import CLOSED_PIPE, NO_OUTPUT

CTRL_C, SIGTERM = SIGNALS_FROM + 2, SIGNALS_FROM + 15

EXIT_CODES = {
    0: "success: nothing wrong was found",
    1: "a finding: a bad model, a difference, a call that does not work",
    2: "wrong usage, or a path that cannot be read or written",
    NO_OUTPUT: "the output cannot be written, as on a full disk",
    CTRL_C: "stopped by Ctrl-C",
    CLOSED_PIPE: "the reader of a pipe went away",
    SIGTERM: "stopped by SIGTERM",
}
"""Those of every command."""


class Exits(NamedTuple):
    """What three exit codes of a command mean.

    Attributes:
        usage: How it is called.
        good: What 0 means.
        finding: What 1 means; "" if it does not occur.
        wrong: What 2 means.
    """

    usage: str
    good: str
    finding: str
    wrong: str = "wrong usage"


EXITS = {
    "check": Exits(
        "safeload check [bert|elmo|weights] PATH...",
        "every model is good",
        "a model is bad, or --expect fails",
        "wrong usage, a folder or an address that cannot be read, or a FILE that cannot be written",
    ),
    "inspect": Exits(
        "safeload inspect PATH", "it was read", "it cannot be read, or with --stats or --html its values are damaged"
    ),
    "diff": Exits(
        "safeload diff FIRST SECOND",
        "the same weights",
        "they differ, or one is damaged",
        "wrong usage, or a file that cannot be read",
    ),
    "lock": Exits("safeload lock FOLDER", "each lock exists and matches", "a model is bad, or differs from its lock"),
    "outputs": Exits(
        "safeload outputs FOLDER",
        "saved, or as expected",
        "the model is bad, or computes something else",
        "wrong usage, a path that cannot be read or written, or a missing package",
    ),
    "convert": Exits(
        "safeload convert SOURCE TARGET --form FORM",
        "written and verified",
        "the model is bad, or the form cannot express it",
        "wrong usage, or a path that cannot be read or written",
    ),
    "doctor": Exits("safeload doctor", "load_bert and load_elmo work", "one of them does not"),
    "doctor bert": Exits(
        "safeload doctor bert PATH",
        "nothing is at fault; with --against, no layer differs by more than 0.0001",
        "something is at fault; with --against, a layer differs or a load fails",
    ),
    "doctor elmo": Exits("safeload doctor elmo PATH", "nothing is at fault", "something is"),
    "demo": Exits("safeload demo", "every fault was caught", "one was not"),
    "completion": Exits("safeload completion SHELL", "it was printed", ""),
}
"""Command -> its exit codes."""


def exit_codes(command: str = "") -> str:
    """Return the end of a command's help, or of `safeload --help`."""
    rows = EXIT_CODES
    if command:
        exits = EXITS[command]
        rows = {code: text for code, text in enumerate((exits.good, exits.finding, exits.wrong)) if text}
    return "\b\nExit codes:\n" + "\n".join(f"  {code:<3}  {text}" for code, text in rows.items())
