from __future__ import annotations

import copy
import pickle

import pytest

from monitord.config.secret import Secret


def test_a_secret_never_prints() -> None:
    """No way of turning it into text gives it out, alone or inside other values."""
    secret = Secret("pa55word")
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", f"{[secret]}", "%s %r" % (secret, secret)):  # noqa: UP031 - a way of printing
        assert "pa55word" not in shown
    assert secret.reveal() == "pa55word"


def test_secrets_are_compared_by_their_text() -> None:
    """A reload can tell whether a secret has changed."""
    assert Secret("a") == Secret("a")
    assert Secret("ä\udc80") != Secret("b")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != "a"


@pytest.mark.parametrize("leak", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_cannot_be_serialised(leak: object) -> None:
    """What would write the text out, or could, is refused."""
    assert callable(leak)
    with pytest.raises(TypeError, match="cannot be pickled"):
        leak(Secret("pa55word"))
