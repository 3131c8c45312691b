"""Lists, and objects that flatten left, become JSON text."""

import copy
import json

from hypothesis import given
from hypothesis import strategies as st

from pipeline.stages.serialize import serialize_lists
from tests.stages.rows import law
from tests.stages.values import NAMES, OBJECTS


@law
@given(OBJECTS | st.dictionaries(NAMES, st.sampled_from([["\ud83d"], {"a": [2**70]}, ["é", None], [[[]]]])))
def test_lists_and_objects_become_json_that_reads_back(row):
    before = copy.deepcopy(row)
    (out,) = serialize_lists([row])
    assert row == before and list(out) == list(row)
    for name, value in row.items():
        assert (json.loads(out[name]) if isinstance(value, (list, dict)) else out[name]) == value
        assert not isinstance(out[name], (list, dict))
