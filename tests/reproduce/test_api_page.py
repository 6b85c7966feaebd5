"""The page of the API: every public name is on it, and docstrings are shown as the text that they are."""

import importlib.util
import pkgutil
import re
import types
from pathlib import Path

import pytest

import cemrnn

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "book" / "api.md").read_text(encoding="utf-8")
ROOMS = {name for name in cemrnn.__all__ if isinstance(getattr(cemrnn, name), types.ModuleType)}


@pytest.fixture(scope="module")
def reference():
    """The extension of Sphinx."""
    spec = importlib.util.spec_from_file_location("reference", ROOT / "book" / "_ext" / "reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def documented(kind):
    return set(re.findall(rf"^\.\. auto{kind}:: (\S+)$", PAGE, re.MULTILINE))


def test_every_public_name_is_on_the_page_once():
    named = re.findall(r"^\.\. auto\w+:: (\S+)$", PAGE, re.MULTILINE)
    assert len(named) == len(set(named))
    assert {f"cemrnn.{name}" for name in set(cemrnn.__all__) - ROOMS} <= set(named)


def test_functions_and_classes_of_the_room_of_tasks_are_there():
    of_tasks = {name: getattr(cemrnn.tasks, name) for name in cemrnn.tasks.__all__}
    shown = {name.rpartition(".")[2] for name in documented("class") | documented("function")}
    assert {name for name, value in of_tasks.items() if callable(value)} <= shown


def test_every_measure_is_there():
    modules = {f"cemrnn.measures.{module.name}" for module in pkgutil.iter_modules(cemrnn.measures.__path__)}
    assert modules == {name for name in documented("module") if name.startswith("cemrnn.measures.")}


def test_signs_of_a_docstring_mark_nothing(reference):
    lines = ["(M, B, T | 1, N) |u_r| and 2*x*y", "n_units: N."]
    reference.keep_text(None, "function", "f", None, None, lines)
    assert lines == [r"(M, B, T \| 1, N) \|u_r\| and 2\*x\*y", r"n_units: N\."]


def test_of_a_module_the_first_line_counts(reference):
    lines = ["What it is.", "", "| a | table |", "|---|---|"]
    reference.keep_text(None, "module", "m", None, None, lines)
    assert lines == ["What it is.", ""]


def test_a_property_keeps_its_colon(reference):
    lines = [":type: I"]
    reference.keep_property(None, "property", "n", cemrnn.TaskSet.n_inputs, None, lines)
    assert lines[0] == cemrnn.TaskSet.n_inputs.__doc__.splitlines()[0] and lines[-1] == ""


@pytest.mark.parametrize(("target", "place"), [("torch.Tensor", "docs.pytorch.org"), ("str", "docs.python.org")])
def test_types_of_others_have_a_place_and_unknown_ones_none(reference, target, place):
    content = reference.nodes.literal("", target)
    found = reference.find_reference(None, None, {"refdomain": "py", "reftarget": target}, content)
    assert place in found["refuri"]
    unknown = {"refdomain": "py", "reftarget": "torch.Tensors"}
    assert reference.find_reference(None, None, unknown, content) is None
