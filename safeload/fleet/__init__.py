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
    """Check many models in worker processes.

    A bad model is a result with an error; it does not stop the other checks. A crash is a result too, and so is a check that
    takes more than an hour, more than 300 s of CPU time, or more memory than the machine or its container has.

    Each path is a model in any form, or a folder that contains models at any depth. Models are checked while the search
    continues: the first result comes before the last model is found, and earlier results are not kept. The workers do not
    import the caller's script, so it needs no `if __name__ == "__main__"`. They end with the iterator.

    Args:
        paths: A path, or an iterable of paths, which is read as needed.
        jobs: How many models are checked at once. Defaults to the number of cores.
        client: A `dask.distributed.Client`, to check models on the workers of its cluster. The workers need safeload, and
            must see the same paths. If a worker is lost, another one checks its model.

    Returns:
        An iterator of the results in the order of completion. Each has `path`, `kind` ("bert", "elmo", or "" if it is
        unknown), `report` or `error`, `seconds` and `n_bytes`. A folder that cannot be read is a result with an error. A
        folder below a path that has weights but no config is left out.

    Raises:
        ArgumentError: `jobs` is not a positive integer, `client` is not a client, or both are passed.
        BackendError: The cluster's scheduler was lost while results were read.
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
