-- What the platform adds to MLflow's schema: two login roles, a backstop, and read-only views of its own.
-- Everything here may be run again at any time.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mlflow_rw') THEN
        CREATE ROLE mlflow_rw LOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mlops_ro') THEN
        CREATE ROLE mlops_ro LOGIN;
    END IF;
END $$;
GRANT rds_iam TO mlflow_rw, mlops_ro;
-- A function's environment has a connection of its own. One kind of caller must leave room for the others and the owner:
-- RDS allows about 80 on its smallest instance.
ALTER ROLE mlflow_rw CONNECTION LIMIT 40;
ALTER ROLE mlops_ro CONNECTION LIMIT 30;
ALTER ROLE mlflow_rw SET idle_session_timeout = '10min';
ALTER ROLE mlops_ro SET idle_session_timeout = '10min';
ALTER ROLE mlops_ro SET default_transaction_read_only = on;
ALTER ROLE mlops_ro SET statement_timeout = '10s';

GRANT USAGE ON SCHEMA public TO mlflow_rw;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO mlflow_rw;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO mlflow_rw;

-- MLflow's archive_existing_versions is not safe against races: two Production versions of one model must be impossible
-- even for somebody who uses MLflow's own calls. Deferred, so that swapping two versions in one transaction is allowed.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'mlops_one_production') THEN
        ALTER TABLE model_versions ADD CONSTRAINT mlops_one_production
            EXCLUDE USING btree (workspace WITH =, name WITH =) WHERE (current_stage = 'Production')
            DEFERRABLE INITIALLY DEFERRED;
    END IF;
END $$;

CREATE INDEX IF NOT EXISTS mlops_runs_experiment ON runs (experiment_id, start_time DESC) WHERE lifecycle_stage = 'active';
CREATE INDEX IF NOT EXISTS mlops_versions_run ON model_versions (run_id);

DROP SCHEMA IF EXISTS mlops CASCADE;
CREATE SCHEMA mlops;

-- MLflow takes any number as a time. What is no date that programs can read (years 1 to 9999, a day of margin at both ends
-- for time zones) is NULL: microseconds given for milliseconds would else break every list with that run.
CREATE FUNCTION mlops.to_date_and_time(ms bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$SELECT CASE WHEN ms BETWEEN -62135510400000 AND 253402214400000 THEN to_timestamp(ms / 1000.0) END$$;

-- What costs something stands in subqueries of its own, so that a query which does not ask for it, or only for a page of
-- rows, does not pay for it.
-- The metric that says how good a run is: the trainer tags its runs with it. For runs without the tag it is the accuracy.
-- The direction of a run whose tags are not complete is NULL, and the run has no score.
CREATE VIEW mlops.run_objectives AS
SELECT r.run_uuid AS run_id,
       r.experiment_id,
       r.start_time AS started_ms,
       coalesce(metric.value, 'accuracy') AS name,
       CASE WHEN metric.value IS NULL THEN 'maximise'
            WHEN direction.value IN ('maximise', 'minimise') THEN direction.value END AS direction
FROM runs r
LEFT JOIN tags metric ON metric.run_uuid = r.run_uuid AND metric.key = 'mlops.objective'
LEFT JOIN tags direction ON direction.run_uuid = r.run_uuid AND direction.key = 'mlops.direction'
WHERE r.lifecycle_stage = 'active';

-- A run's own objective as a number that is higher for better runs. MLflow stores infinity as the largest number.
CREATE VIEW mlops.run_scores AS
SELECT o.*, CASE o.direction WHEN 'minimise' THEN -m.value ELSE m.value END AS score
FROM mlops.run_objectives o
JOIN latest_metrics m ON m.run_uuid = o.run_id AND m.key = o.name
WHERE o.direction IS NOT NULL AND NOT m.is_nan AND abs(m.value) < 1.7976931348623157e308;

CREATE VIEW mlops.runs AS
SELECT r.run_uuid AS run_id,
       r.name AS run_name,
       r.experiment_id,
       lower(r.status) AS status,
       r.start_time AS started_ms,
       mlops.to_date_and_time(r.start_time) AS started_at,
       mlops.to_date_and_time(r.end_time) AS ended_at,
       r.artifact_uri,
       coalesce((SELECT jsonb_object_agg(m.key, m.value) FROM latest_metrics m
                 WHERE m.run_uuid = r.run_uuid AND NOT m.is_nan AND m.key NOT LIKE 'system/%'), '{}') AS metrics,
       coalesce((SELECT jsonb_object_agg(p.key, p.value) FROM params p WHERE p.run_uuid = r.run_uuid), '{}') AS params,
       (SELECT jsonb_build_object('name', o.name, 'direction', o.direction) FROM mlops.run_objectives o
        WHERE o.run_id = r.run_uuid AND o.direction IS NOT NULL) AS objective
FROM runs r
WHERE r.lifecycle_stage = 'active';

CREATE VIEW mlops.run_metrics AS
SELECT run_uuid AS run_id, key, value FROM latest_metrics WHERE NOT is_nan;

CREATE VIEW mlops.run_params AS
SELECT run_uuid AS run_id, key, value FROM params;

CREATE VIEW mlops.run_tags AS
SELECT run_uuid AS run_id, key, value FROM tags;

CREATE VIEW mlops.metric_points AS
SELECT run_uuid AS run_id, key, step, "timestamp" AS at_ms, value
FROM metrics WHERE NOT is_nan AND key NOT LIKE 'system/%';

-- MLflow 3 keeps a model beside its run's artifacts, not among them.
CREATE VIEW mlops.logged_models AS
SELECT source_run_id AS run_id, model_id, name, artifact_location AS artifact_uri
FROM logged_models WHERE lifecycle_stage = 'active';

-- What runs have read, as they have logged it. MLflow keeps a data set once in each experiment.
CREATE VIEW mlops.run_datasets AS
SELECT i.destination_id AS run_id, r.experiment_id, r.start_time AS started_ms, d.name, d.digest,
       (SELECT t.value FROM input_tags t WHERE t.input_uuid = i.input_uuid AND t.name = 'mlflow.data.context') AS context
FROM inputs i
JOIN datasets d ON d.dataset_uuid = i.source_id
JOIN runs r ON r.run_uuid = i.destination_id AND r.lifecycle_stage = 'active'
JOIN experiments e ON e.experiment_id = r.experiment_id AND e.lifecycle_stage = 'active' AND e.workspace = 'default'
WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN';

CREATE VIEW mlops.experiments AS
SELECT e.experiment_id,
       e.name,
       mlops.to_date_and_time(e.creation_time) AS created_at,
       (SELECT count(*) FROM runs r
        WHERE r.experiment_id = e.experiment_id AND r.lifecycle_stage = 'active') AS total_runs,
       -- Runs with other objectives cannot be compared: those of the newest run that has a score are.
       (SELECT jsonb_build_object('name', s.name, 'direction', s.direction) FROM mlops.run_scores s
        WHERE s.experiment_id = e.experiment_id ORDER BY s.started_ms DESC, s.run_id LIMIT 1) AS objective,
       (SELECT s.run_id
        FROM (SELECT n.name, n.direction FROM mlops.run_scores n
              WHERE n.experiment_id = e.experiment_id ORDER BY n.started_ms DESC, n.run_id LIMIT 1) newest
        JOIN mlops.run_scores s USING (name, direction)
        WHERE s.experiment_id = e.experiment_id ORDER BY s.score DESC, s.started_ms, s.run_id LIMIT 1) AS best_run_id
FROM experiments e
WHERE e.lifecycle_stage = 'active' AND e.workspace = 'default';

CREATE VIEW mlops.model_versions AS
SELECT v.name,
       v.version,
       v.run_id,
       mlops.to_date_and_time(v.creation_time) AS created_at,
       CASE WHEN EXISTS (SELECT FROM registered_model_aliases a WHERE a.workspace = v.workspace AND a.name = v.name
                         AND a.version = v.version AND a.alias = 'production') THEN 'Production'
            WHEN EXISTS (SELECT FROM registered_model_aliases a WHERE a.workspace = v.workspace AND a.name = v.name
                         AND a.version = v.version AND a.alias = 'staging') THEN 'Staging'
            -- Production by its tag and not by the alias: it has been replaced this moment.
            WHEN stage.value IN ('Archived', 'Production') THEN 'Archived'
            ELSE 'Registered' END AS stage,
       sha256.value AS sha256
FROM model_versions v
LEFT JOIN model_version_tags stage
    ON (stage.workspace, stage.name, stage.version, stage.key) = (v.workspace, v.name, v.version, 'stage')
LEFT JOIN model_version_tags sha256
    ON (sha256.workspace, sha256.name, sha256.version, sha256.key) = (v.workspace, v.name, v.version, 'sha256')
WHERE v.workspace = 'default' AND v.current_stage <> 'Deleted_Internal'
    -- In the bin.
    AND NOT EXISTS (SELECT FROM model_version_tags t
                    WHERE (t.workspace, t.name, t.version, t.key) = (v.workspace, v.name, v.version, 'mlops.bin'));

CREATE VIEW mlops.models AS
SELECT m.name,
       count(v.version) AS versions,
       max(v.version) AS latest_version,
       (array_agg(v.stage ORDER BY v.version DESC))[1] AS latest_stage,
       max(v.version) FILTER (WHERE v.stage = 'Production') AS production_version,
       max(v.version) FILTER (WHERE v.stage = 'Staging') AS staging_version
FROM registered_models m
LEFT JOIN mlops.model_versions v USING (name)
WHERE m.workspace = 'default'
GROUP BY m.workspace, m.name
-- A model in the bin, or whose versions were purged, is there again as soon as a version is registered.
HAVING count(v.version) > 0 OR NOT EXISTS (SELECT FROM registered_model_tags t
                                           WHERE (t.workspace, t.name, t.key) = (m.workspace, m.name, 'mlops.bin'));

GRANT USAGE ON SCHEMA mlops TO mlops_ro;
GRANT SELECT ON ALL TABLES IN SCHEMA mlops TO mlops_ro;
