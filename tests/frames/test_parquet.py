"""Rows to one Parquet file."""

import pyarrow.parquet as pq

from frames import parquet


def test_a_file_has_the_columns_of_all_its_rows_with_their_values_as_text(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "ROWS", 2)
    file = parquet.RowFile(tmp_path / "a.parquet", ("id", "objectType"))
    for number, value in enumerate(["007", 7, None, 1.5, True, "", "é\n\u0000"]):
        file.add({"id": str(number), f"hs_{number % 3}": value})
    read = pq.read_table(file.finish())
    assert read.column_names == ["id", "objectType", "hs_0", "hs_1", "hs_2"]
    assert [{k: v for k, v in row.items() if v is not None} for row in read.to_pylist()] == [
        {"id": "0", "hs_0": "007"}, {"id": "1", "hs_1": "7"}, {"id": "2"}, {"id": "3", "hs_0": "1.5"},
        {"id": "4", "hs_1": "true"}, {"id": "5", "hs_2": ""}, {"id": "6", "hs_0": "é\n\u0000"},
    ]  # fmt: skip


def test_a_file_without_rows_has_its_columns(tmp_path):
    assert pq.read_table(parquet.RowFile(tmp_path / "a", ("id",)).finish()).column_names == ["id"]
