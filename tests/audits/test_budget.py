"""What looks may take: of requests, of a day's quota, and of a sync's time."""

from types import SimpleNamespace

import pytest

from pipeline.audits import budget
from pipeline.audits.budget import Budget, Diary, For
from pipeline.audits.cells import Cell, Kind
from pipeline.audits.counting import affordable
from pipeline.fingerprints import Sum


@pytest.fixture
def account(monkeypatch):
    """An account, and a clock that nothing moves."""
    account = SimpleNamespace(requests=0, daily=0, is_half_spent=False, seconds=0.0)
    monkeypatch.setattr(budget, "time", SimpleNamespace(monotonic=lambda: account.seconds))
    limit = SimpleNamespace(daily_quota=lambda: account.daily, daily_quota_half_spent=lambda: account.is_half_spent)
    clock = SimpleNamespace(earlier=lambda: 0)
    account.client = SimpleNamespace(counts=lambda: {"requests": account.requests}, rate_limit=limit, clock=clock)
    return account


def test_ages_take_ten_requests_for_each_of_the_syncs_own_and_250_at_least(account):
    spent = Budget(account.client, Diary(), 0)
    with spent.spending(For.AGES):
        assert spent.left() == 250
        account.requests += 260
        assert spent.left() == 0
    account.requests += 30
    with spent.spending(For.AGES):
        assert spent.left() == 40
        account.is_half_spent = True
        assert spent.left() == 0


def test_second_looks_take_a_quarter_of_a_days_quota_and_none_after_their_time(account):
    diary = Diary(day=0, taken=100)
    spent = Budget(account.client, diary, 5_000)
    with spent.spending(For.SECOND_LOOKS):
        assert spent.left() == 250, "no quota is known"
        account.daily, account.seconds = 1_000, 4.9
        assert spent.left() == 150
        account.requests += 20
        assert (spent.left(), spent.taken(), diary.taken) == (130, 20, 120)
        account.seconds = 5.0
        assert spent.left() == 0
    diary.day = -1
    with Budget(account.client, diary, 5_000).spending(For.SECOND_LOOKS) as _:
        pass
    assert (diary.day, diary.taken) == (0, 0), "another day"


def test_as_many_lists_of_cells_are_counted_as_can_be_paid_for_and_one_if_any():
    lists = [[Cell(n, n + 1, Kind.DELIVERED, 1, Sum(19, 7))] for n in range(4)]  # two pages each
    assert [affordable(10, lists, requests) for requests in (0, 1, 3, 4, 5, 8, 99)] == [0, 1, 1, 2, 2, 4, 4]


def test_second_looks_take_half_the_time_since_the_last_sync_and_a_first_sync_none():
    minute = 60_000
    assert budget.may_take(None, 0, is_first=True) == 0
    assert budget.may_take(0, 10 * minute, is_first=False) == 5 * minute
    assert budget.may_take(0, 1440 * minute, is_first=False) == 60 * minute


def test_a_diary_survives_the_state_and_what_cannot_be_read_of_it_is_forgotten():
    diary = Diary(1_500, True, 400, 70, {"e_a": 399})
    assert Diary.read(diary.as_state()) == diary and Diary.read(Diary().as_state()) == Diary()
    odd = {"began": 5, "owed": "yes", "day": "400", "taken": None, "late": {"e_a": "x"}}
    assert Diary.read(odd) == Diary(late={"e_a": 0}) and Diary.read([]) == Diary.read({"late": []}) == Diary()


def test_that_much_comes_late_is_news_again_once_it_has_ceased_for_a_month():
    diary, days = Diary(), (100, 101, 131, 162)
    assert [diary.is_news("e_a", day) for day in days] == [True, False, False, True]
    assert diary.is_news("e_b", 162)
