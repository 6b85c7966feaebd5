"""Code as text: what counts for it, and what does not."""

import os
import subprocess
import sys

import pytest
import torch

from cemrnn import system
from cemrnn.system.source import code_of, is_installed
from tests.fixtures.copies import REPOSITORY

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
    written["__name__"] = "nowhere"
    exec("def unread(x):\n    return x", written)
    with pytest.raises(ValueError, match="unread: expected a function whose code can be read"):
        code_of(written["unread"])
    with pytest.raises(ValueError, match="UNSTABLE: expected a constant"):
        code_of(lambda: UNSTABLE)


HELPERS = "import consts\nfrom consts import FACTOR\n\n\ndef scale(x):\n    return FACTOR * x\n"
OWN = """
import dataclasses, functools, typing
import cemrnn, helpers
from helpers import scale
from cemrnn.system.source import code_of

KEPT = functools.cache(scale)
TWICE = functools.partial(scale, 2)

class Scaled:
    def act(self, x):
        return scale(x)

SCALED = Scaled()

def by_name(x):
    return scale(x)

def by_module(x):
    return getattr(helpers, "scale")(x)

def by_cache(x):
    return KEPT(x)

def by_partial():
    return TWICE()

def by_default(x, f=scale):
    return f(x)

def by_object(x):
    return SCALED.act(x)

ACT = SCALED.act

def by_method(x):
    return ACT(x)

@dataclasses.dataclass
class Data:
    factor: float = 2.0
    def act(self, x):
        return scale(x)

class Named(typing.NamedTuple):
    factor: float = 2.0
    def act(self, x):
        return scale(x)

def by_data(x):
    return Data().act(x)

def by_named(x):
    return Named().act(x)

OWN = (by_name, by_module, by_cache, by_partial, by_default, by_object, by_method, by_data, by_named, Scaled)
if __name__ == "__main__":
    import hashlib, own
    from cemrnn.tasks.content import digest_content
    for thing in own.OWN:
        print(hashlib.sha256(code_of(thing).encode()).hexdigest(), digest_content(thing))
"""


def keys(folder):
    """Digests of what is in own.py, from a process of its own."""
    places = os.environ | {"PYTHONPATH": f"{REPOSITORY}{os.pathsep}{folder}", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, folder / "own.py"], env=places, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_files_of_ones_own_beside_it_are_part_of_its_code_however_they_are_named(tmp_path):
    for name, text in (("own", OWN), ("helpers", HELPERS), ("consts", "FACTOR = 2\n")):
        (tmp_path / f"{name}.py").write_text(text)
    before = keys(tmp_path)
    assert len(before) == 20
    (tmp_path / "helpers.py").write_text(HELPERS.replace("FACTOR * x", "FACTOR + x"))
    assert not set(before) & set(keys(tmp_path))
    (tmp_path / "helpers.py").write_text(HELPERS)
    assert keys(tmp_path) == before
    (tmp_path / "consts.py").write_text("FACTOR = 3\n")
    assert not set(before) & set(keys(tmp_path))


def test_what_is_installed_and_what_is_ones_own():
    assert all(map(is_installed, (torch, os, sys, subprocess, system)))
    assert not is_installed(sys.modules[__name__])
