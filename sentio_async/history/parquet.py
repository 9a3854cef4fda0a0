"""Bars as Parquet files: columns as they are in memory, and the facts of a file in its footer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from sentio_async import errors
from sentio_async.models.bars import Bars

__all__ = ["Facts", "Part", "check_pyarrow", "read_facts"]

_FLOATS = ("open", "high", "low", "close", "volume", "vwap")
_COMPRESSION = "zstd"


def check_pyarrow() -> None:
    """Raise MissingExtraError when Parquet cannot be written here; slow the first time."""
    try:
        import pyarrow.compute
        import pyarrow.parquet  # noqa: F401
    except ImportError as exc:
        raise errors.MissingExtraError("writing Parquet", "parquet") from exc


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file says of itself."""

    rows: int = 0
    skipped: int = 0
    """Rows of the vendor's answers that could not be read."""
    last_ns: int | None = None
    """When its last bar begins."""

    def written(self) -> dict[str, str]:
        """As key-value metadata."""
        last = "" if self.last_ns is None else str(self.last_ns)
        return {"sentio.skipped": str(self.skipped), "sentio.last_ns": last}

    @classmethod
    def read(cls, rows: int, written: Mapping[bytes, bytes]) -> Self:
        """From key-value metadata; raises KeyError or ValueError for a file of somebody else."""
        last = written[b"sentio.last_ns"]
        return cls(
            rows=rows,
            skipped=int(written[b"sentio.skipped"]),
            last_ns=int(last) if last else None,
        )


def read_facts(place: Path) -> Facts | None:
    """The facts of a whole file; None for one that is broken or not one of these.

    Raises OSError for a file that cannot be read at all.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = pq.read_metadata(place)
        return Facts.read(found.num_rows, found.metadata or {})
    except (pa.ArrowException, KeyError, ValueError):
        return None
    except OSError as exc:
        # What pyarrow finds wrong in a footer is one as well, without the system's number.
        if exc.errno is not None:
            raise
        return None


class Part:
    """A file in the making; it appears under its name when it is whole.

    Every piece that is written becomes a row group, so no more than that is held.
    """

    def __init__(self, place: Path, about: Mapping[str, str]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._place = place
        self._making = place.with_name(f".{place.name}.new")
        fields = [pa.field("time", pa.timestamp("ns", tz="UTC"), nullable=False)]
        fields += [pa.field(name, pa.float64(), nullable=name == "vwap") for name in _FLOATS]
        fields.append(pa.field("trade_count", pa.int64()))
        self._schema = pa.schema(fields, metadata=dict(about))
        self._file = self._making.open("wb")
        self._writer = pq.ParquetWriter(self._file, self._schema, compression=_COMPRESSION)
        self.rows = 0

    def write(self, bars: Bars) -> None:
        """Add some bars."""
        self._writer.write_table(_table(bars, self._schema))
        self.rows += len(bars)

    def finish(self, facts: Facts) -> None:
        """Close it with these facts, and let it appear."""
        self._writer.add_key_value_metadata(facts.written())
        self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._making.replace(self._place)

    def discard(self) -> None:
        """Let go of what was written."""
        with suppress(Exception):
            self._writer.close()
        with suppress(OSError):
            # What is left to be written cannot be, when the disk is full.
            self._file.close()
        self._making.unlink(missing_ok=True)


def _table(bars: Bars, schema: Any) -> Any:
    """The columns without a copy, except for those in which a value can be absent."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def column(values: Any, kind: Any) -> Any:
        return pa.Array.from_buffers(kind, len(bars), [None, pa.py_buffer(values)])

    columns = [column(bars.times_ns, schema.field("time").type)]
    columns += [column(getattr(bars, name), pa.float64()) for name in _FLOATS]
    columns.append(column(bars.trade_count, pa.int64()))
    *_, vwap, count = columns
    columns[-2] = pc.if_else(pc.is_nan(vwap), pa.scalar(None, pa.float64()), vwap)
    columns[-1] = pc.if_else(pc.less(count, 0), pa.scalar(None, pa.int64()), count)
    return pa.Table.from_arrays(columns, schema=schema)
