"""Run tests one by one in a pytest session, and see whether they pass."""

from __future__ import annotations

MAX_EXAMPLES = 15


class Watch:
    """What the running test said so far: one for the process, since pytest tells every plugin once."""

    def __init__(self):
        self.failed = False

    def pytest_runtest_logreport(self, report):
        """Remember a failure of the test or of its fixtures."""
        self.failed = self.failed or report.failed


WATCH = Watch()


def passes(item, following):
    """Run a test; tell whether neither it nor its fixtures failed."""
    WATCH.failed = False
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    return not WATCH.failed


def first_failure(items):
    """Run tests up to the first that fails; return its name, or ""."""
    return next(
        (item.nodeid for item, following in zip(items, [*items[1:], None], strict=True) if not passes(item, following)),
        "",
    )


def calm(items):
    """Let Hypothesis try few examples, and the same ones each time."""
    from hypothesis import settings

    for item in items:
        function = getattr(item.obj, "__func__", item.obj)
        usual = getattr(function, "_hypothesis_internal_use_settings", None)
        if usual is not None:
            few = min(usual.max_examples, MAX_EXAMPLES)
            function._hypothesis_internal_use_settings = settings(
                usual, max_examples=few, derandomize=True, database=None
            )
