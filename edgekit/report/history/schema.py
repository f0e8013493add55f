"""The tables. What is derived from a document can be derived again, see migrate; the documents are what counts.

The columns of a result, an evaluation or a refresh and its whole document lie apart, so that a list of a hundred
thousand reads no document.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

from edgekit.report.history.figures import FIGURES

VERSION = 3
TABLES = MetaData()
_NUMBER = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up by itself only in an INTEGER

ABOUT = Table(
    "edgekit_history",
    TABLES,
    Column("version", Integer, nullable=False),
)

RESULTS = Table(
    "results",
    TABLES,
    Column("sequence", _NUMBER, primary_key=True, autoincrement=True),  # in the order of adding
    Column("result_id", String, nullable=False, unique=True),
    Column("content_sha256", String(64), nullable=False),
    Column("created_at", DateTime, nullable=False),  # UTC, by the clock of the machine that measured
    Column("added_at", DateTime, nullable=False),  # UTC, by the clock of the machine that added
    Column("live", Boolean, nullable=False),  # added by the bench that measured it, not from a file later
    Column("clock_back_of", String),  # a result recorded before this one that says a later time
    Column("device", String, nullable=False),
    Column("detector", String, nullable=False),
    Column("scenario", String, nullable=False),
    Column("precision", String, nullable=False),
    Column("engine_id", String, nullable=False),
    Column("model_sha256", String, nullable=False),
    Column("conditions_sha256", String(64), nullable=False),
    Column("git_commit", String),
    Column("git_branch", String),
    Column("session", String, nullable=False),
    Column("round", Integer, nullable=False),
    Column("comparable", Boolean, nullable=False),
    Column("stable", Boolean, nullable=False),
    Column("disturbances", Text),  # sentences, a JSON list
    *(Column(figure.key, Float) for figure in FIGURES),
    Index("results_by_time", "created_at", "sequence"),
    Index("results_by_device", "device", "detector", "created_at"),
    Index("results_by_branch", "git_branch", "created_at"),
    sqlite_autoincrement=True,
)

DOCUMENTS = Table(
    "documents",
    TABLES,
    Column("sequence", _NUMBER, ForeignKey("results.sequence"), primary_key=True, autoincrement=False),
    Column("document", Text, nullable=False),  # canonical JSON of the whole result
)

FOREIGN = Table(
    "foreign_results",
    TABLES,
    Column("sequence", _NUMBER, primary_key=True, autoincrement=True),
    Column("foreign_id", String, nullable=False, unique=True),
    Column("tool", String, nullable=False),
    Column("device", String),
    Column("model", String),
    Column("added_at", DateTime, nullable=False),
    Column("document", Text, nullable=False),
    sqlite_autoincrement=True,
)

EVALUATIONS = Table(
    "evaluations",
    TABLES,
    Column("sequence", _NUMBER, primary_key=True, autoincrement=True),
    Column("evaluation_id", String, nullable=False, unique=True),
    Column("content_sha256", String(64), nullable=False),
    Column("created_at", DateTime, nullable=False),  # UTC
    Column("added_at", DateTime, nullable=False),
    Column("source", String, nullable=False),  # "eval", "judged" or "verified", see evaluations.EvaluationRecord
    Column("device", String, nullable=False),
    Column("detector", String, nullable=False),  # "" where its file does not say
    Column("precision", String, nullable=False),
    Column("engine_id", String, nullable=False),
    Column("dataset", String, nullable=False),
    Column("dataset_sha256", String, nullable=False),
    Column("labelled_by", String, nullable=False),
    Column("pictures", Integer, nullable=False),
    Column("map50_95", Float, nullable=False),
    Column("map50", Float),
    Column("reference", String),
    Column("reference_engine_id", String),
    Column("reference_map50_95", Float),
    Column("kept", Float),  # shares, with the ends of their 95 % intervals
    Column("kept_low", Float),
    Column("kept_high", Float),
    Column("passed", Boolean),
    Column("worst_stratum", String),
    Column("worst_kept", Float),
    Column("strata", Text),  # what is kept in each that was judged, a JSON list
    Column("inference_p50_ms", Float),
    Column("gate_sha256", String(64)),
    Column("git_commit", String),
    Column("git_branch", String),
    Index("evaluations_by_time", "created_at", "sequence"),
    Index("evaluations_by_device", "device", "detector", "created_at"),
    Index("evaluations_by_engine", "engine_id", "device"),
    Index("evaluations_by_reference", "reference_engine_id"),
    Index("evaluations_by_branch", "git_branch", "created_at"),
    sqlite_autoincrement=True,
)

EVALUATION_DOCUMENTS = Table(
    "evaluation_documents",
    TABLES,
    Column("sequence", _NUMBER, ForeignKey("evaluations.sequence"), primary_key=True, autoincrement=False),
    Column("document", Text, nullable=False),
)

REFRESHES = Table(
    "refreshes",
    TABLES,
    Column("sequence", _NUMBER, primary_key=True, autoincrement=True),
    Column("refresh_id", String, nullable=False, unique=True),
    Column("content_sha256", String(64), nullable=False),
    Column("created_at", DateTime, nullable=False),  # UTC, when it began
    Column("added_at", DateTime, nullable=False),
    Column("unfinished", Boolean, nullable=False),  # it was under way, or was killed, when it was written
    Column("device", String, nullable=False),
    Column("service", String, nullable=False),
    Column("detector", String, nullable=False),
    Column("precision", String, nullable=False),  # of the candidate
    Column("outcome", String, nullable=False),  # core.refresh.OUTCOMES
    Column("cause", String, nullable=False),
    Column("why", Text, nullable=False),
    Column("serving_engine_id", String, nullable=False),
    Column("candidate_engine_id", String, nullable=False),
    Column("release_id", String, nullable=False),
    Column("set_before", String, nullable=False),
    Column("set_before_sha256", String, nullable=False),
    Column("drift_before", Float),  # share of the scenes seen that lie beyond the reach of that set
    Column("set_after", String, nullable=False),
    Column("set_after_sha256", String, nullable=False),
    Column("set_pictures", Integer, nullable=False),
    Column("field_pictures", Integer, nullable=False),  # of the set
    Column("frames_new", Integer, nullable=False),
    Column("frames_refused", Integer, nullable=False),
    Column("holdout_pictures", Integer, nullable=False),
    Column("set_strata", Text),  # how many of its pictures lie in which, a JSON list
    Column("new_strata", Text),  # what the field shows and the set before had next to nothing of, a JSON list
    Column("reference", String),  # the engine that was never quantised
    Column("kept", Float),  # of its accuracy, on the frozen set
    Column("kept_low", Float),
    Column("kept_high", Float),
    Column("frozen_ratio", Float),  # candidate / serving engine, on the frozen set
    Column("frozen_low", Float),
    Column("frozen_high", Float),
    Column("holdout_before", Float),  # mAP50-95 of the serving engine, on field frames held out
    Column("holdout_after", Float),
    Column("holdout_ratio", Float),
    Column("holdout_low", Float),
    Column("holdout_high", Float),
    Column("duration_s", Float, nullable=False),
    Index("refreshes_by_time", "created_at", "sequence"),
    Index("refreshes_by_device", "device", "detector", "created_at"),
    Index("refreshes_by_engine", "candidate_engine_id"),
    sqlite_autoincrement=True,
)

REFRESH_DOCUMENTS = Table(
    "refresh_documents",
    TABLES,
    Column("sequence", _NUMBER, ForeignKey("refreshes.sequence"), primary_key=True, autoincrement=False),
    Column("document", Text, nullable=False),
)
RECORD_TABLES = (EVALUATIONS, EVALUATION_DOCUMENTS, REFRESHES, REFRESH_DOCUMENTS)
