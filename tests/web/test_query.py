from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from monitord.web.fleet import Fleet, State
from monitord.web.query import Order, Query, QueryError, parse_query
from tests.web.fleets import NOW, POLICY, SPARE, Watched, pinset, prediction


def parsed(query: str) -> Query:
    """What this query of a URL asks for."""
    return parse_query(URL(f"http://a/{query}").query)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", Query()),
        ("?q=&state=&label=&within=&sort=&page=", Query()),
        ("?q=%20Api%20", Query(text="Api")),
        ("?state=failing&state=soon", Query(states=frozenset({State.FAILING, State.SOON}))),
        ("?label=team%3Dpayments&label=tier=1", Query(labels=(("team", "payments"), ("tier", "1")))),
        ("?label=note=a=b", Query(labels=(("note", "a=b"),))),
        ("?within=30d&sort=next&page=7", Query(within=timedelta(days=30), order=Order.NEXT, page=7)),
        ("?within=30&unknown=1", Query(within=timedelta(days=30))),
    ],
)
def test_what_is_asked_for(query: str, expected: Query) -> None:
    """Empty parameters, as forms send them, ask for nothing; unknown ones are nobody's business."""
    assert parsed(query) == expected


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("?state=bad", "state is to be one of failing, soon, unknown, attention, ok, waiting"),
        ("?sort=x", "sort is to be one of state, host, next, seen"),
        ("?page=0", "page is to be a number from 1 to 1000000"),
        ("?page=-1", "page is to be a number from 1 to 1000000"),
        ("?page=１", "page is to be a number from 1 to 1000000"),  # noqa: RUF001 - a digit, but not one of ours
        ("?page=9999999999999999999", "page is to be a number from 1 to 1000000"),
        ("?within=soon", "within is to be a number of days, at most 9999, such as 30d"),
        ("?within=10000", "within is to be a number of days, at most 9999, such as 30d"),
        ("?label=team", "label is to be NAME=VALUE"),
        ("?label==x", "label is to be NAME=VALUE"),
        (f"?q={'x' * 201}", "q is longer than 200 characters"),
        (f"?label=a={'x' * 201}", "label is longer than 200 characters"),
    ],
)
def test_what_cannot_be_understood_is_said(query: str, complaint: str) -> None:
    """The parameter is named."""
    with pytest.raises(QueryError) as caught:
        parsed(query)
    assert str(caught.value) == complaint


@given(
    st.builds(
        Query,
        text=st.text(max_size=20).map(str.strip),
        states=st.frozensets(st.sampled_from(State)),
        labels=st.lists(
            st.tuples(st.from_regex("[a-z]{1,5}", fullmatch=True), st.text(max_size=8).map(str.strip)), max_size=2
        ).map(tuple),
        within=st.none() | st.integers(0, 3650).map(lambda days: timedelta(days=days)),
        order=st.sampled_from(Order),
        page=st.integers(1, 1_000_000),
    )
)
def test_a_url_asks_for_what_it_was_made_of(query: Query) -> None:
    """So that paging and sorting lose no filter."""
    assert parsed(query.url()) == query


def test_filters_and_orders() -> None:
    """Each leaves out what does not fit, and all of them together."""
    names = ("b.example", "a.example", "c.example")
    watched = [Watched(name, 100 + number, labels={"team": name[0]}) for number, name in enumerate(names)]
    fleet = Fleet(lambda: POLICY.horizon)
    for one in watched:
        one.pinned(pinset(f"app-{one.target.host[0]}", one.root.certificate.pin, SPARE))
    fleet.set_targets([one.target for one in watched])
    second, first, _ = watched
    fleet.record(replace(second.seen(ago=timedelta(hours=2)), predictions=(prediction(40, "app-b"),)))
    fleet.record(replace(first.seen(ago=timedelta(hours=1)), predictions=(prediction(6, "app-a"),)))
    entries = fleet.snapshot().entries

    def found(query: str) -> str:
        asked = parsed(query)
        return "".join(one.target.host[0] for one in asked.sorted(e for e in entries if asked.matches(e, NOW)))

    assert found("") == "abc"
    assert found("?q=APP-B") == "b"
    assert found("?q=team=c") == "c"
    assert found("?q=example:443") == "abc"
    assert found("?state=soon&state=waiting") == "ac"
    assert found("?within=30d") == "a"
    assert found("?within=90d") == "ab"
    assert found("?label=team=b") == "b"
    assert found("?label=team=b&state=soon") == ""
    assert found("?sort=next") == "abc"
    assert found("?sort=seen") == "cba"
    assert found("?sort=host") == "abc"
