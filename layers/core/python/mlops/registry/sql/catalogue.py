"""Read lists of experiments, runs and models with SQL, from the platform's views.

MLflow's REST API has no counts, and needs one call per experiment. One query returns a page, its count and best runs.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg
from psycopg.rows import dict_row

from mlops.domain.access import ALL_MODELS
from mlops.domain.errors import DependencyUnavailable, NotFound
from mlops.domain.objective import ACCURACY, Objective
from mlops.domain.pagination import decode_cursor, encode_cursor, unknown_cursor
from mlops.registry.sql.database import DatabaseSettings, connection_parameters, login_token
from mlops.registry.sql.paging import Order, like, page_of, parse_order

Row = dict[str, Any]

_EXPERIMENT_ORDERS = {"created_at": "e.experiment_id", "name": "e.name"}
_RUN_ORDERS = {
    "started_at": "r.started_ms",
    "run_name": "r.run_name",
    "status": "r.status",
    # Higher is better, whatever the direction. Runs with another objective than the experiment's have no key.
    "objective": "(SELECT score FROM mlops.run_scores s WHERE s.run_id = r.run_id"
    " AND s.name = %(objective)s AND s.direction = %(direction)s)",
}
_RUN_KEYS = {
    "metrics": "(SELECT value FROM mlops.run_metrics WHERE run_id = r.run_id AND key = %(order_key)s)",
    # Parameters are text. Those that are numbers are ordered as numbers, and the others come last.
    "params": "(SELECT CASE WHEN value ~ '^-?[0-9]+([.][0-9]*)?([eE][-+]?[0-9]{1,3})?$' THEN value::float8 END"
    " FROM mlops.run_params WHERE run_id = r.run_id AND key = %(order_key)s)",
}

# The page is chosen with cheap columns. Counts, best runs, metrics and params are computed for its rows only.
_EXPERIMENTS = """
WITH page AS MATERIALIZED (
    SELECT e.experiment_id, {key} AS key, row_number() OVER (ORDER BY {ordering}) AS place
    FROM mlops.experiments e WHERE {condition} AND {filtered} ORDER BY {ordering} LIMIT %(limit)s)
SELECT e.experiment_id::text, e.name, e.total_runs, e.objective, page.key, page.place,
       CASE WHEN r.run_id IS NOT NULL THEN jsonb_build_object(
           'run_id', r.run_id, 'run_name', r.run_name, 'metrics', r.metrics, 'params', r.params) END AS best_run
FROM page
JOIN LATERAL (SELECT * FROM mlops.experiments x WHERE x.experiment_id = page.experiment_id OFFSET 0) e ON TRUE
LEFT JOIN LATERAL (SELECT * FROM mlops.runs y WHERE y.run_id = e.best_run_id) r ON TRUE
ORDER BY page.place
"""

_EXPERIMENT = """
SELECT experiment_id, name, objective FROM mlops.experiments
WHERE name = %(wanted)s OR experiment_id::text = %(wanted)s ORDER BY name = %(wanted)s DESC LIMIT 1
"""

_RUNS = """
WITH page AS MATERIALIZED (
    SELECT r.run_id, {key} AS key, row_number() OVER (ORDER BY {ordering}) AS place
    FROM mlops.runs r WHERE r.experiment_id = %(experiment_id)s AND {condition} AND {filtered}
    ORDER BY {ordering} LIMIT %(limit)s)
SELECT r.run_id, r.run_name, r.status, r.started_at, r.ended_at, r.metrics, r.params, r.objective, page.key
FROM page JOIN mlops.runs r USING (run_id) ORDER BY page.place
"""

_RUN = """
SELECT r.*,
       coalesce((SELECT jsonb_object_agg(key, value) FROM mlops.run_tags t WHERE t.run_id = r.run_id), '{}') AS tags
FROM mlops.runs r WHERE r.experiment_id = %(experiment_id)s AND r.run_id = ANY(%(run_ids)s)
"""

# Every n-th point and the last one, so that the curve of a long run keeps its shape.
_POINTS = """
SELECT key, step, at_ms AS at, value FROM (
    SELECT *, row_number() OVER (PARTITION BY key ORDER BY step, at_ms) AS place,
           count(*) OVER (PARTITION BY key) AS points
    FROM mlops.metric_points WHERE run_id = %(run_id)s) numbered
WHERE (place - 1) %% greatest(1, points / %(most)s) = 0 OR place = points
ORDER BY key, place
"""

_MODELS = """
SELECT m.*, (SELECT count(*) FROM mlops.models n WHERE n.name LIKE ANY(%(names)s)) AS total_count
FROM mlops.models m WHERE m.name > %(after)s AND m.name LIKE ANY(%(names)s) ORDER BY m.name LIMIT %(limit)s
"""

_VERSIONS = """
SELECT v.version, v.stage, v.run_id, v.sha256, v.created_at, coalesce(r.metrics, '{}') AS metrics, r.objective,
       e.name AS experiment_name FROM (SELECT * FROM mlops.model_versions
      WHERE name = %(name)s AND version < %(before)s ORDER BY version DESC LIMIT %(limit)s) v
LEFT JOIN mlops.runs r USING (run_id) LEFT JOIN mlops.experiments e USING (experiment_id) ORDER BY v.version DESC
"""

_MAX_ID = 2**31 - 1
MAX_POINTS = 500


class Catalogue:
    """Read-only queries of the `mlops` views, on one connection, which is renewed if it is lost."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings
        self._connection: psycopg.Connection[Row] | None = None

    @classmethod
    def from_environment(cls) -> "Catalogue":
        return _catalogue()

    def experiments(
        self,
        limit: int,
        cursor: str | None,
        order_by: str = "created_at desc",
        name: str | None = None,
        names: Sequence[str] = ALL_MODELS,
    ) -> tuple[list[Row], int, str | None]:
        """Return a page of experiments, each with its best run: (rows, total number, next cursor).

        Args:
            order_by: created_at or name, and asc or desc.
            name: Only those whose name contains this text, in upper or lower case.
            names: Only those with these names. One that ends in `*` stands for all names with this beginning.

        Raises:
            ValidationFailed: The order is not known, or the cursor is from another list.
        """
        order = parse_order(order_by, _EXPERIMENT_ORDERS, {})
        filters: list[str] = []
        if name:
            filters.append("position(lower(%(name)s) IN lower(e.name)) > 0")
        if "*" not in names:
            filters.append("e.name LIKE ANY(%(names)s)")
        filtered, values = " AND ".join(filters) or "TRUE", {"name": name, "names": like(names)}
        rows, next_cursor = self.ordered(_EXPERIMENTS, order, "e.experiment_id", limit, cursor, filtered, values)
        return rows, self.count(f"SELECT count(*) AS n FROM mlops.experiments e WHERE {filtered}", values), next_cursor

    def experiment(self, name_or_id: str) -> Row:
        """Return `{"experiment_id", "name", "objective"}`; a name comes before an id with the same digits.

        The objective is `{"name", "direction"}`, as in `domain.objective`: that of the newest run that has a value of
        its own objective; None if none has.

        Raises:
            NotFound: There is no such experiment.
        """
        rows = self.rows(_EXPERIMENT, wanted=name_or_id)
        if not rows:
            raise NotFound(f"There is no experiment {name_or_id!r}; GET /experiments lists them")
        return rows[0]

    def runs(
        self,
        experiment_id: int,
        limit: int,
        cursor: str | None,
        order_by: str = "started_at desc",
        status: str | None = None,
        name: str | None = None,
        objective: Objective = ACCURACY,
    ) -> tuple[list[Row], int, str | None]:
        """Return a page of an experiment's runs with params and metrics: (rows, total number, next cursor).

        Args:
            order_by: started_at, run_name, status, objective, metrics.<name> or params.<name>, and asc or desc.
            status: Only runs with this status.
            name: Only those whose name contains this text, in upper or lower case.
            objective: What `objective` orders by; with desc the best come first. Runs with another one come last.

        Raises:
            ValidationFailed: The order is not known, or the cursor is from another list.
        """
        order = parse_order(order_by, _RUN_ORDERS, _RUN_KEYS)
        filters, values = ["TRUE"], {"experiment_id": experiment_id, "status": status, "name": name}
        values |= {"objective": objective.name, "direction": objective.direction.value}
        if status:
            filters.append("r.status = %(status)s")
        if name:
            filters.append("position(lower(%(name)s) IN lower(r.run_name)) > 0")
        filtered = " AND ".join(filters)
        rows, next_cursor = self.ordered(_RUNS, order, "r.run_id", limit, cursor, filtered, values)
        count = f"SELECT count(*) AS n FROM mlops.runs r WHERE r.experiment_id = %(experiment_id)s AND {filtered}"
        return rows, self.count(count, values), next_cursor

    def runs_by_id(self, experiment_id: int, run_ids: list[str]) -> list[Row]:
        """Return the experiment's runs with these ids, in this order, with tags. Raises NotFound."""
        runs = {row["run_id"]: row for row in self.rows(_RUN, experiment_id=experiment_id, run_ids=run_ids)}
        if missing := [run_id for run_id in run_ids if run_id not in runs]:
            raise NotFound(f"The experiment has no run {', '.join(missing)}")
        return [runs[run_id] for run_id in run_ids]

    def metric_history(self, run_id: str) -> dict[str, list[Row]]:
        """Return the points of each metric in the order of steps; for a long history every n-th."""
        history: dict[str, list[Row]] = {}
        for row in self.rows(_POINTS, run_id=run_id, most=MAX_POINTS):
            history.setdefault(row.pop("key"), []).append(row)
        return history

    def logged_models(self, run_id: str) -> list[Row]:
        """Return `{"model_id", "name", "artifact_uri"}` of the models that the run has logged."""
        query = "SELECT model_id, name, artifact_uri FROM mlops.logged_models WHERE run_id = %(run_id)s ORDER BY name"
        return self.rows(query, run_id=run_id)

    def models(
        self, limit: int, cursor: str | None, names: Sequence[str] = ALL_MODELS
    ) -> tuple[list[Row], int, str | None]:
        """Return a page of registered models by name: (rows, total number, next cursor).

        Args:
            names: Only models with these names. One that ends in `*` stands for all names with this beginning.
        """
        after = decode_cursor(cursor) if cursor else ""
        rows = self.rows(_MODELS, after=after, names=like(names), limit=limit + 1)
        return page_of(rows, limit, "name")

    def model(self, name: str) -> Row:
        """Return a registered model. Raises NotFound."""
        rows = self.rows("SELECT * FROM mlops.models WHERE name = %(name)s", name=name)
        if not rows:
            raise NotFound(f"There is no model {name!r}; GET /models lists them")
        return rows[0]

    def versions(self, name: str, limit: int, cursor: str | None) -> tuple[list[Row], str | None]:
        """Return a page of a model's versions, the newest first, and the next cursor."""
        before = _number(cursor) if cursor else _MAX_ID
        rows = self.rows(_VERSIONS, name=name, before=before, limit=limit + 1)
        more, rows = len(rows) > limit, rows[:limit]
        return rows, encode_cursor(str(rows[-1]["version"])) if more else None

    def ordered(
        self,
        query: str,
        order: Order,
        id_column: str,
        limit: int,
        cursor: str | None,
        filtered: str,
        values: dict[str, Any],
    ) -> tuple[list[Row], str | None]:
        """Return a page of a list that is ordered by a key of the caller's choice, and the next cursor."""
        condition, ordering, keys = order.clauses(id_column, cursor)
        text = query.format(key=order.expression, condition=condition, ordering=ordering, filtered=filtered)
        try:
            rows = self.rows(text, limit=limit + 1, **values, **keys)
        except (psycopg.DataError, psycopg.errors.UndefinedFunction, UnicodeError) as error:
            if cursor is None:
                raise
            # The cursor's key has another type than the list's, or is not Unicode.
            raise unknown_cursor() from error
        more, rows = len(rows) > limit, rows[:limit]
        identifier = id_column.rpartition(".")[2]
        next_cursor = order.cursor(rows[-1]["key"], rows[-1][identifier]) if more else None
        for row in rows:
            del row["key"]
        return rows, next_cursor

    def count(self, query: str, values: dict[str, Any]) -> int:
        count: int = self.rows(query, **values)[0]["n"]
        return count

    def rows(self, query: str, **values: Any) -> list[Row]:
        """Return the rows of a query of the views."""
        with self._connected() as connection:
            return connection.execute(query.encode(), values).fetchall()

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[Row]]:
        """Yield a connection. Raises DependencyUnavailable if PostgreSQL does not answer."""
        try:
            yield self._alive()
        except psycopg.OperationalError as error:
            self._connection = None
            raise DependencyUnavailable("The database does not answer") from error

    def _alive(self) -> psycopg.Connection[Row]:
        if self._connection is not None:
            try:
                self._connection.execute("SELECT 1")
                return self._connection
            except psycopg.OperationalError:
                self._connection = None
        self._connection = psycopg.connect(
            **connection_parameters(self._settings),
            password=login_token(self._settings),
            autocommit=True,
            row_factory=dict_row,
        )
        return self._connection


def _number(cursor: str) -> int:
    text = decode_cursor(cursor)
    if not text.isdecimal() or int(text) > _MAX_ID:
        raise unknown_cursor()
    return int(text)


@cache
def _catalogue() -> Catalogue:
    return Catalogue(DatabaseSettings.from_environment())
