"""Writes the objects of the tests with pyarrow and fastavro: python3 make.py"""

import datetime
import decimal
import io

import fastavro
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

utc = datetime.timezone.utc
at = datetime.datetime(2026, 11, 29, 10, 30, 0, 250000, utc)
day = datetime.date(2026, 11, 29)

schema = pa.schema([
    pa.field("id", pa.int64(), nullable=False),
    pa.field("city", pa.string()),
    pa.field("fare", pa.decimal128(9, 2)),
    pa.field("day", pa.date32()),
    pa.field("at", pa.timestamp("us", tz="UTC")),
    pa.field("clock", pa.time64("us")),
    pa.field("share", pa.float64()),
    pa.field("raw", pa.binary()),
    pa.field("stops", pa.list_(pa.struct([pa.field("name", pa.string()), pa.field("on", pa.date32())]))),
    pa.field("tags", pa.map_(pa.string(), pa.int32())),
])
rows = [
    {"id": 1, "city": "Zug <x>", "fare": decimal.Decimal("12.50"), "day": day, "at": at, "clock": datetime.time(1, 2, 3), "share": 0.25,
     "raw": b"\xff\x00", "stops": [{"name": "a", "on": day}, {"name": None, "on": None}], "tags": [("b", 2), ("a", None)]},
    {"id": 2, "city": None, "fare": None, "day": None, "at": None, "clock": None, "share": float("nan"), "raw": b"text", "stops": [], "tags": None},
]
extra = schema.append(pa.field("kind", pa.dictionary(pa.int8(), pa.string()))).append(pa.field("took", pa.duration("ms"))).append(pa.field("codes", pa.map_(pa.int32(), pa.string())))
table = pa.Table.from_pylist([dict(row, kind="x", took=datetime.timedelta(seconds=-90), codes=[(7, "s")]) for row in rows], extra)
feather.write_feather(table, "trips.arrow", compression="zstd")
with ipc.new_stream("trips.arrows", table.schema) as out:
    out.write_table(table)
pq.write_table(pa.Table.from_pylist(rows, schema), "trips.parquet", compression="zstd", row_group_size=1)

avro = fastavro.parse_schema({
    "type": "record", "name": "Trip", "namespace": "test", "fields": [
        {"name": "id", "type": "long"},
        {"name": "city", "type": ["null", "string"]},
        {"name": "fare", "type": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}]},
        {"name": "day", "type": ["null", {"type": "int", "logicalType": "date"}]},
        {"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]},
        {"name": "clock", "type": ["null", {"type": "long", "logicalType": "time-micros"}]},
        {"name": "share", "type": "double"},
        {"name": "raw", "type": "bytes"},
        {"name": "stops", "type": {"type": "array", "items": {"type": "record", "name": "Stop", "fields": [
            {"name": "name", "type": ["null", "string"]},
            {"name": "on", "type": ["null", {"type": "int", "logicalType": "date"}]},
        ]}}},
        {"name": "tags", "type": ["null", {"type": "map", "values": ["null", "int"]}]},
        {"name": "next", "type": ["null", "Trip"], "default": None},
    ]})
for row in rows:
    if row["tags"] is not None:
        row["tags"] = dict(row["tags"])
    row["next"] = None
with open("trips.avro", "wb") as f:
    fastavro.writer(f, avro, rows, codec="deflate", sync_marker=b"0123456789abcdef")
with open("numbers.avro", "wb") as f:
    fastavro.writer(f, fastavro.parse_schema("long"), [3, -4], sync_marker=b"0123456789abcdef")
