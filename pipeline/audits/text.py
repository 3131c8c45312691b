"""Cells as text, for the saved state: small, and read back exactly or not at all."""

import base64
import json
import struct
import zlib
from collections.abc import Sequence
from itertools import islice

from pipeline.audits.cells import Cell, Kind
from pipeline.fingerprints import Sum


def encode(cells: Sequence[Cell]) -> str:
    """Contiguous cells as text: compressed JSON of where the first begins and of each one's length,
    kind, day, number of events and buckets in use; then the sums as they are, since no compression
    makes them smaller.

    >>> cells = [Cell(5, 9, Kind.LOOKED, 3, Sum(2, 7), (0, 7)), Cell(9, 12, Kind.LOST)]
    >>> decode(encode(cells)) == cells
    True
    """
    about: list[int] = [cells[0].begin] if cells else []
    sums = []
    for cell in cells:
        used = [bucket for bucket in cell.buckets if bucket]
        mask = sum(1 << place for place, bucket in enumerate(cell.buckets) if bucket)
        about += [cell.end - cell.begin, int(cell.kind), cell.due, cell.sum.events]
        about += [len(cell.buckets), mask]
        if cell.sum.events:
            sums.append(struct.pack(f">Q{len(used)}I", cell.sum.total, *used))
    packed = zlib.compress(json.dumps(about, separators=(",", ":")).encode(), 9)
    return f"{_in_base_64(packed)}.{_in_base_64(zlib.crc32(b''.join(sums)).to_bytes(4, 'big') + b''.join(sums))}"


def decode(text: str) -> list[Cell]:
    """The cells of a text. Raises ValueError if it is not one, or was changed."""
    try:
        packed, saved = map(base64.b64decode, text.split("."))
        about, sums = iter(json.loads(zlib.decompress(packed))), saved[4:]
        if zlib.crc32(sums).to_bytes(4, "big") != saved[:4]:
            raise ValueError("the sums were changed")
        end, at, cells = next(about, 0), 0, list[Cell]()
        while fields := tuple(islice(about, 6)):
            length, kind, due, events, number, mask = fields
            begin, end, total, buckets = end, end + length, 0, [0] * number
            places = [place for place in range(number) if mask >> place & 1]
            if events:
                total, *used = struct.unpack_from(f">Q{len(places)}I", sums, at)
                at += 8 + 4 * len(places)
                for place, bucket in zip(places, used, strict=True):
                    buckets[place] = bucket
            cells.append(Cell(begin, end, Kind(kind), due, Sum(events, total), tuple(buckets)))
        return cells
    except (TypeError, struct.error, zlib.error, OverflowError) as error:
        raise ValueError(f"not a list of cells: {error}") from None


def _in_base_64(data: bytes) -> str:
    return base64.b64encode(data).decode()
