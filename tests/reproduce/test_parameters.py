"""Parameters of notebooks: strict names, strict types."""

import nbformat
import papermill
import pytest
from cemrnn.reproduce.parameters import Parameter, apply_overrides, read_parameters
from hypothesis import given
from hypothesis import strategies as st

from tests.fixtures.copies import TINY

NOTEBOOK = TINY / "notebooks" / "fig1_tiny.ipynb"


def write_notebook(path, source, n_tagged=1):
    cells = [nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]}) for _ in range(n_tagged)]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)
    return path


def test_reads_names_types_defaults_and_help():
    parameters = read_parameters(NOTEBOOK)
    assert list(parameters) == ["rate", "n_points", "label", "levels", "seed", "fails"]
    annotations = [parameter.annotation for parameter in parameters.values()]
    assert annotations == ["float", "int", "str", "list[float]", "int", "bool"]
    assert parameters["levels"].default == [0.5, 1.0]
    assert parameters["rate"].help == "decay rate, 1/s"


def test_papermill_lists_what_is_read():
    listed = papermill.inspect_notebook(NOTEBOOK)
    read = read_parameters(NOTEBOOK)
    assert list(listed) == list(read)
    for name, parameter in read.items():
        assert listed[name]["inferred_type_name"] == parameter.annotation
        assert listed[name]["help"] == parameter.help


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("int", "128", 128),
        ("int", "-3", -3),
        ("float", "1e-3", 0.001),
        ("float", "2", 2.0),
        ("str", "007", "007"),
        ("str", "true", "true"),
        ("bool", "true", True),
        ("bool", "False", False),
    ],
)
def test_text_becomes_the_declared_type(kind, text, expected):
    value = Parameter("x", kind, expected, "").parse(text)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("kind", "text"), [("int", "1.5"), ("int", "1e3"), ("float", "fast"), ("bool", "1"), ("int", "none")]
)
def test_mistyped_text_is_refused_by_name(kind, text):
    with pytest.raises(ValueError, match=f"n_units: expected {kind}, got '{text}'"):
        Parameter("n_units", kind, None, "").parse(text)


@given(st.lists(st.floats(allow_nan=False), max_size=5))
def test_lists_survive_a_round_trip_through_text(values):
    parameter = Parameter("levels", "float", [], "", is_list=True)
    assert parameter.parse(",".join(map(str, values))) == values


@given(st.integers() | st.none())
def test_optional_survives_a_round_trip_through_text(value):
    assert Parameter("limit", "int", None, "", is_optional=True).parse(str(value)) == value


def test_yaml_text_in_scientific_notation_is_a_float():
    # YAML 1.1 reads 1e-3 as text.
    assert Parameter("rate", "float", 1.0, "").convert("1e-3") == 0.001


@pytest.mark.parametrize(("kind", "value"), [("str", False), ("int", True), ("int", 2.0), ("float", "quick")])
def test_yaml_value_of_another_type_is_refused(kind, value):
    with pytest.raises(ValueError, match="x: expected"):
        Parameter("x", kind, None, "").convert(value)


def test_overrides_are_typed_and_strict():
    parameters = read_parameters(NOTEBOOK)
    assert apply_overrides(parameters, ["rate=3", "levels=1,2"]) == {"rate": 3.0, "levels": [1.0, 2.0]}
    with pytest.raises(ValueError, match="unknown parameter 'n_point'; did you mean 'n_points'"):
        apply_overrides(parameters, ["n_point=3"])
    with pytest.raises(ValueError, match="expected name=value, got 'rate'"):
        apply_overrides(parameters, ["rate"])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("a: int = 2  # a\nb: int = 2 * a  # derived", "b: expected a literal"),
        ("a = 2", "expected `name: type = literal`"),
        ("a: int = 'x'", "a: expected int, got 'x'"),
        ("a: int | None = None", "expected a type among"),
        ("a: tuple[int, ...] = (1,)", "expected a type among"),
        ("print(1)", "expected `name: type = literal`"),
    ],
)
def test_other_parameter_lines_are_refused(tmp_path, source, message):
    with pytest.raises(ValueError, match=message):
        read_parameters(write_notebook(tmp_path / "n.ipynb", source))


@pytest.mark.parametrize("line", ["a: int | None = None  # a", "a: tuple[int, ...] = (1,)  # a"])
def test_refused_types_are_those_that_papermill_does_not_list(tmp_path, line):
    path = write_notebook(tmp_path / "n.ipynb", f"{line}\nb: int = 1  # b")
    assert list(papermill.inspect_notebook(path)) == ["b"]


@pytest.mark.parametrize("n_tagged", [0, 2])
def test_exactly_one_parameters_cell(tmp_path, n_tagged):
    with pytest.raises(ValueError, match=f"expected one cell tagged 'parameters', got {n_tagged}"):
        read_parameters(write_notebook(tmp_path / "n.ipynb", "a: int = 1", n_tagged))
