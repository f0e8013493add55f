"""The tables. What is derived from a document can be derived again, see migrate; the documents are what counts.

A result's columns and its whole document lie apart, so that a list of a hundred thousand results reads no document.
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

VERSION = 2
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
