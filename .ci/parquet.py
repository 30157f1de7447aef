"""Holds an export of fills against the state of a replay: `parquet.py DIR` with fills.parquet, .csv, .jsonl and state.json."""

import collections
import csv
import decimal
import json
import pathlib
import sys

import pyarrow
import pyarrow.parquet

work = pathlib.Path(sys.argv[1])
table = pyarrow.parquet.read_table(work / "fills.parquet")
# Python's own times end at microseconds, so that column is compared as whole nanoseconds.
times = table.column("time").cast(pyarrow.int64()).to_pylist()
fills = table.drop_columns(["time"]).to_pylist()
state = json.loads((work / "state.json").read_text())
assert fills, "a run without a fill shows nothing"

types = {name: table.schema.field(name).type for name in table.schema.names}
assert types["time"] == pyarrow.timestamp("ns", tz="UTC"), types["time"]
assert types["price"] == types["size"] == pyarrow.decimal128(38, 9), types["price"]
assert types["fee"] == pyarrow.decimal128(38, 6), types["fee"]
assert types["order_id"] == pyarrow.uint64() and types["signed_lots"] == pyarrow.int64()

sums = collections.Counter()
for fill in fills:
    if not fill["combo"]:
        sums[fill["account_id"], fill["instrument_id"]] += fill["signed_lots"]
sums = {key: lots for key, lots in sums.items() if lots}
held = {
    (account["id"], position["instrument"]): position["lots"]
    for account in state["accounts"]
    for position in account["positions"]
    if position["lots"]
}
assert sums == held, f"sums of fills {sums} are not the positions {held}"

with open(work / "fills.csv", newline="") as file:
    rows = list(csv.DictReader(file))
lines = [json.loads(line) for line in (work / "fills.jsonl").read_text().splitlines()]
assert len(rows) == len(lines) == len(fills)
for fill, row, line, time in zip(fills, rows, lines, times):
    said = line["fields"]
    assert (fill["seq"], fill["sub"], time) == (line["seq"], line["sub"], line["ts_ns"])
    assert fill["price"] == decimal.Decimal(row["price"]) == decimal.Decimal(said["last_px"])
    assert fill["fee"] == decimal.Decimal(row["fee"]) == decimal.Decimal(said["fee"])
    assert fill["lots"] == int(row["lots"]) == said["last_qty"]
    assert fill["symbol"] == row["symbol"] and fill["account_id"] == said["account_id"]

print(f"{len(fills)} fills read back: their sums are the {len(held)} positions of the replay")
