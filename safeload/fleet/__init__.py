"""Check any number of models, each in a process that it cannot take others down with."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

from safeload._arguments import as_python, bad_argument, is_int
from safeload._boundary import typed_errors
from safeload.fleet._result import CheckResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from safeload._bytes.paths import StrPath

__all__ = ["CheckResult", "check_many"]


@typed_errors
def check_many(
    paths: StrPath | Iterable[StrPath],
    *,
    jobs: int | None = None,
    client: Any | None = None,  # noqa: ANN401  (untyped upstream)
) -> Iterator[CheckResult]:
    """Check many models in worker processes; what is wrong with one of them is its result, and ends no other.

    Each path is a model in any form, or a folder above models, which are found as they are checked: the first result comes
    before the last model is found, and nothing is kept of those before. A crash, a check that takes more than an hour or 300 s
    of CPU time, and one that takes more memory than the machine or its container has, are results too. The workers do not import the caller's
    script, so it needs no `if __name__ == "__main__"`. They end with the iterator.

    Args:
        paths: A path, or any number of them; they are taken as they are needed.
        jobs: How many models are checked at once. Defaults to the number of cores.
        client: A `dask.distributed.Client`: models are checked on the workers of its cluster, which need safeload and see the same
            paths. A model whose worker goes away is checked by another one.

    Returns:
        An iterator of the results in the order of completion. Each has `path`, `kind` ("bert", "elmo", or "" where nothing says
        which), `report` or `error`, `seconds` and `n_bytes`. A folder that cannot be read is a result with an error. A folder
        below a path that has weights and no config is left out.

    Raises:
        ArgumentError: `jobs` is not an integer from 1, `client` is no client, or both are given.
        BackendError: While results are taken: the cluster's scheduler went away.
    """
    n_jobs = as_python(jobs)
    if n_jobs is not None and not (is_int(n_jobs) and n_jobs > 0):
        raise bad_argument("jobs", jobs, "an integer from 1, or None", ["None is the number of cores"])
    if client is not None:
        from safeload.fleet._cluster import require_client  # noqa: PLC0415  (only a cluster needs it)

        require_client(client)
        if jobs is not None:
            raise bad_argument(
                "jobs", jobs, "None with a client", ["the cluster decides how many models are checked at once"]
            )
    given = [paths] if isinstance(paths, (str, bytes, os.PathLike)) else paths
    return _results(map(os.fsdecode, given), n_jobs or os.cpu_count() or 1, client)


def _results(paths: Iterator[str], jobs: int, client: Any | None) -> Iterator[CheckResult]:  # noqa: ANN401
    from safeload.fleet._ahead import Ahead, as_result  # noqa: PLC0415  (what it imports is not for `import safeload`)
    from safeload.fleet._checker import Checker  # noqa: PLC0415
    from safeload.fleet._cluster import checked_on  # noqa: PLC0415
    from safeload.fleet._found import Skipped  # noqa: PLC0415
    from safeload.fleet._tree import BERT_OR_ELMO, find_models  # noqa: PLC0415
    from safeload.fleet._workers import checked  # noqa: PLC0415

    found = Ahead(find_models(BERT_OR_ELMO, paths))
    outcomes = checked(Checker(), found, jobs) if client is None else checked_on(client, Checker(), found)
    with closing(outcomes):
        yield from (as_result(each) for _, each in outcomes if not isinstance(each, Skipped))
