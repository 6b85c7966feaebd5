"""Code as text: what counts for it, and what does not."""

import pytest
import torch

from cemrnn.system.source import code_of

FACTOR = 2
UNSTABLE = object()


def helper(x):
    return FACTOR * x


class Base:
    def inherited(self, x):
        return x + 1


class Example(Base):
    size = 3

    def act(self, x):
        """Documented."""
        return torch.relu(helper(x))  # and commented


def test_what_a_class_inherits_and_calls_is_part_of_its_code_and_libraries_are_not():
    code = code_of(Example)
    for part in ("def act(self, x)", "return x + 1", "return FACTOR * x", "FACTOR = 2", "size = 3"):
        assert part in code
    assert "Documented" not in code and "commented" not in code and "def relu" not in code


@pytest.mark.parametrize(("name", "value"), [("FACTOR", 3), ("helper", lambda x: x), ("torch", None)])
def test_another_value_of_what_it_names_is_other_code(monkeypatch, name, value):
    before = code_of(Example)
    assert code_of(Example) == before
    monkeypatch.setitem(globals(), name, value)
    assert code_of(Example) != before


def test_code_that_cannot_be_read_or_kept_is_refused():
    written = {}
    exec("def unread(x):\n    return x", written)
    with pytest.raises(ValueError, match="unread: expected a function whose code can be read"):
        code_of(written["unread"])
    with pytest.raises(ValueError, match="UNSTABLE: expected a constant"):
        code_of(lambda: UNSTABLE)
