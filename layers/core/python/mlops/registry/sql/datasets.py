"""Read with SQL which data sets runs have used, and what a run leads to."""

from collections.abc import Sequence

from mlops.registry.sql.catalogue import Catalogue, Row
from mlops.registry.sql.paging import Order, like

LATEST_RUNS = 5
_NEWEST_FIRST = Order("u.last_ms", descending=True)

# The same data under the same name is one data set, in whichever experiments it was used.
_USED = """
    SELECT d.name, d.digest, md5(d.name || chr(10) || d.digest) AS id, count(DISTINCT d.run_id) AS runs,
           max(d.started_ms) AS last_ms, array_agg(DISTINCT e.name ORDER BY e.name) AS experiments
    FROM mlops.run_datasets d JOIN mlops.experiments e USING (experiment_id)
    WHERE {filtered} GROUP BY d.name, d.digest
"""
_PAGE = (
    f"WITH used AS ({_USED})"
    """,
page AS MATERIALIZED (
    SELECT u.*, {key} AS key, row_number() OVER (ORDER BY {ordering}) AS place
    FROM used u WHERE {condition} ORDER BY {ordering} LIMIT %(limit)s)
SELECT page.*, mlops.to_date_and_time(page.last_ms) AS last_used_at,
       (SELECT jsonb_agg(jsonb_build_object('run_id', l.run_id, 'run_name', r.run_name, 'experiment_name', l.experiment,
                                            'status', r.status) ORDER BY l.started_ms DESC, l.run_id)
        FROM (SELECT DISTINCT d.run_id, d.started_ms, e.name AS experiment
              FROM mlops.run_datasets d JOIN mlops.experiments e USING (experiment_id)
              WHERE d.name = page.name AND d.digest = page.digest AND {filtered}
              ORDER BY d.started_ms DESC, d.run_id LIMIT %(latest)s) l
        JOIN mlops.runs r USING (run_id)) AS latest_runs
FROM page ORDER BY page.place
"""
)
_OF_RUN = """
SELECT name, digest, context FROM mlops.run_datasets WHERE run_id = %(run_id)s ORDER BY context, name, digest
"""
_VERSIONS_OF_RUN = """
SELECT name AS model_name, version, stage FROM mlops.model_versions
WHERE run_id = %(run_id)s AND name LIKE ANY(%(names)s) ORDER BY name, version
"""


class Datasets:
    """Which data sets runs have used."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def page(self, limit: int, cursor: str | None, names: Sequence[str]) -> tuple[list[Row], int, str | None]:
        """Return a page of data sets, those of the newest runs first: (rows, total number, next cursor).

        Args:
            names: Only those of experiments with these names. One that ends in `*` stands for all names with this
                beginning.

        Raises:
            ValidationFailed: The cursor is from another list.
        """
        values = {"names": like(names), "latest": LATEST_RUNS}
        filtered = "e.name LIKE ANY(%(names)s)"
        rows, next_cursor = self._catalogue.ordered(_PAGE, _NEWEST_FIRST, "u.id", limit, cursor, filtered, values)
        used = _USED.format(filtered=filtered)
        return rows, self._catalogue.count(f"SELECT count(*) AS n FROM ({used}) u", values), next_cursor

    def of_run(self, run_id: str) -> list[Row]:
        """Return `{"name", "digest", "context"}` of the data sets that a run has logged."""
        return self._catalogue.rows(_OF_RUN, run_id=run_id)

    def versions_of_run(self, run_id: str, names: Sequence[str]) -> list[Row]:
        """Return `{"model_name", "version", "stage"}` of the versions that were registered from a run.

        Args:
            names: Only those of models with these names, as for `page`.
        """
        return self._catalogue.rows(_VERSIONS_OF_RUN, run_id=run_id, names=like(names))
