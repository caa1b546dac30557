"""How far long work is: a bar on a terminal, lines without control codes elsewhere."""

from __future__ import annotations

import io

import pytest

from safeload._text import progress as module
from safeload._text.progress import counts_text, progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def console(monkeypatch):
    rich = pytest.importorskip("rich.console")
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return lambda *, is_terminal: rich.Console(file=Terminal() if is_terminal else io.StringIO(), width=100)


def test_there_is_a_line_now_and_then_where_no_terminal_is(console, capsys, monkeypatch):
    monkeypatch.setattr(module, "LINE_EVERY", 0.0)
    out = console(is_terminal=False)
    with progress(out, None, "checking") as advance:
        advance(5)
        advance(10, 40)
    first, second = capsys.readouterr().err.splitlines()

    assert first.startswith("checking: 5, ")
    assert second.startswith("checking: 10 of 40, ")
    assert second.endswith(" s left")
    assert "\x1b" not in first + second
    assert out.file.getvalue() == ""


@pytest.mark.parametrize(
    ("is_terminal", "name"),
    [(False, "FORCE_COLOR"), (True, "JPY_PARENT_PID")],
    ids=["a pipe with colours", "a notebook"],
)
def test_colours_make_no_screen_of_what_keeps_each_line(is_terminal, name, console, capsys, monkeypatch):
    monkeypatch.setattr(module, "LINE_EVERY", 0.0)
    monkeypatch.setattr(module, "PROGRESS_AFTER", -1.0)
    monkeypatch.setenv(name, "1")
    out = console(is_terminal=is_terminal)
    with progress(out, 40, "checking") as advance:
        advance(10)
    shown = capsys.readouterr().err

    assert out.is_terminal
    assert shown.startswith("checking: 10 of 40, ")
    assert "\x1b" not in shown
    assert out.file.getvalue() == ""


def test_there_is_no_line_of_short_work(console, capsys):
    with progress(console(is_terminal=False), 3, "checking") as advance:
        advance(3)
    assert capsys.readouterr().err == ""


def test_a_bar_has_the_rate_and_the_time_left(console, monkeypatch):
    monkeypatch.setattr(module, "PROGRESS_AFTER", -1.0)
    out = console(is_terminal=True)
    with progress(out, None, "checking") as advance:
        advance(5)
        advance(10, 40)
    shown = out.file.getvalue()

    assert "10 of 40, " in shown
    assert "/s" in shown
    assert "\x1b" in shown


def test_counts_have_a_rate():
    assert counts_text(1200, 5000, 10.0) == "1,200 of 5,000, 120/s"
    assert counts_text(3, None, 2.0) == "3, 1.5/s"
