"""Text as sequences: on documents made by hand, a chain whose entropy is known, and the text of this installation."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from cemrnn.network.config import NetworkConfig
from cemrnn.network.model import CEMRNN
from cemrnn.tasks.sequences import TextSet
from cemrnn.tasks.sequences.documents import (
    PARTS,
    READERS,
    check_apart,
    cut_corpus,
    drop_repeats,
    normalise_text,
    read_corpus,
    read_documents,
    split_documents,
)
from cemrnn.tasks.sequences.text import OTHER, _texts, bigram_bits, count_bigrams, cut_passages, draw_sample, make_batch
from cemrnn.training.sequence_learner import score_batch

SIZES = dict(n_steps=20, n_symbols=40, warm_up=5)
PROSE = TextSet(registers=("prose",), **SIZES)
CHAIN = np.array([[0.1, 0.6, 0.3], [0.5, 0.25, 0.25], [0.2, 0.2, 0.6]])


def draw_chain(n, seed=0):
    """Symbols of the Markov chain."""
    generator, codes = np.random.default_rng(seed), [0]
    for _ in range(n):
        codes.append(generator.choice(3, p=CHAIN[codes[-1]]))
    return np.array(codes)


def entropy_rate():
    values, vectors = np.linalg.eig(CHAIN.T)
    stationary = np.real(vectors[:, np.argmax(np.real(values))])
    return -(stationary / stationary.sum()) @ (CHAIN * np.log2(CHAIN)).sum(1)


def reader(table):
    """A network whose state is the current symbol and whose readout is the logarithm of a table of bigrams."""
    n = len(table)
    config = NetworkConfig(
        arm="plain", n_units=n, n_contexts=1, n_inputs=n, n_outputs=n, dt_ms=100.0, tau_ms=100.0, sigma_rec=0.0
    )
    model = CEMRNN(config, [0])
    model.flat.zero_()
    model.parameters["input"].data[0] = torch.eye(n)
    model.parameters["readout"].data[0] = torch.as_tensor(np.log(table), dtype=torch.float32)
    return model


def test_a_bigram_oracle_is_reproduced_by_counts_and_by_a_network():
    codes = draw_chain(40_000)
    batch = make_batch(cut_passages(codes[20_000:], 20, 5)[None], np.zeros((1, 1333), int), 3, 5)
    table = count_bigrams(codes[:20_000], 3)
    bits = bigram_bits(batch, table)
    n = bits.size * 15
    # the standard deviation of the cost of a symbol is below 1 bit: four standard errors, and as much for the table
    assert abs(bits.mean() - entropy_rate()) < 8 / math.sqrt(n)
    assert score_batch(reader(table), batch, "bits").item() == pytest.approx(bits.mean(), abs=1e-5)


@pytest.mark.parametrize("n_symbols", [2, 7, 64])
def test_a_uniform_model_pays_the_logarithm_of_the_alphabet(n_symbols):
    passages = np.random.default_rng(1).integers(0, n_symbols, (1, 9, 21))
    batch = make_batch(passages, np.zeros((1, 9), int), n_symbols, 5)
    bits = score_batch(reader(np.full((n_symbols, n_symbols), 1 / n_symbols)), batch, "bits")
    assert bits.item() == pytest.approx(math.log2(n_symbols), rel=1e-6)


def test_each_character_is_predicted_once():
    codes = np.arange(200)
    passages = cut_passages(codes, 20, 5)
    assert passages.shape == (12, 21)
    batch = make_batch(passages[None], np.zeros((1, 12), int), 200, 5)
    assert batch.inputs.shape == (1, 12, 20, 200)
    assert batch.targets.shape == (1, 12, 15)
    predicted = batch.targets[0].flatten().tolist()
    assert predicted == list(range(6, 186))
    assert (batch.inputs.argmax(-1)[0, :, 5:] + 1 == batch.targets[0]).all()
    with pytest.raises(ValueError, match="expected more than 20 held-out characters, got 20"):
        cut_passages(codes[:20], 20, 5)


def test_documents_are_in_one_part_each():
    documents = {f"document {n}": "x" * (100 + n) for n in range(40)}
    parts = split_documents(documents)
    names = [name for part in parts.values() for name in part]
    assert sorted(names) == sorted(documents)
    assert split_documents(dict(reversed(documents.items()))) == parts
    more = split_documents(documents | {"another": "x" * 100})
    assert set(more["test"]) & set(parts["test"])  # another document does not deal all of them anew
    with pytest.raises(ValueError, match="expected enough to train, validate and test, got 2"):
        split_documents({"a": "x", "b": "y"})


def test_repeated_paragraphs_are_left_out():
    repeated = "a paragraph that occurs twice"
    kept = drop_repeats({"first": f"{repeated}\n\nshort", "second": f"other\n\n{repeated}\n\nshort", "third": repeated})
    assert kept == {"first": f"{repeated}\n\nshort\n\n", "second": "other\n\nshort\n\n"}


def marks_of(text):
    """Paragraphs of a text that are long enough to count as repeats."""
    return {mark for paragraph in text.split("\n\n") if len(mark := " ".join(paragraph.split())) >= 20}


@pytest.mark.parametrize("register", READERS)
def test_no_paragraph_of_this_installation_is_in_two_parts(register):
    texts = _texts(TextSet(registers=(register,), **SIZES))[register]
    assert sum(map(len, texts.values())) > 200_000
    assert all(len(text) > 20_000 for text in texts.values())
    marks = {part: marks_of(text) for part, text in texts.items()}
    assert sum(map(len, marks.values())) == len(set().union(*marks.values()))


def test_no_paragraph_is_in_two_registers():
    marks = [marks_of("".join(parts.values())) for parts in _texts(TextSet(registers=tuple(READERS), **SIZES)).values()]
    n_shared = sum(map(len, marks)) - len(set().union(*marks))
    assert n_shared < 1e-3 * sum(map(len, marks))  # a license, say, but no document


def test_registers_that_are_learned_together_read_what_they_read_alone():
    together = _texts(TextSet(registers=tuple(READERS), **SIZES))
    for register in READERS:
        assert together[register] == _texts(TextSet(registers=(register,), **SIZES))[register]


def test_files_of_one_build_are_left_out_and_all_others_are_read():
    headers = {path.relative_to(np.get_include()).as_posix() for path in Path(np.get_include()).rglob("*.h")}
    assert set(read_documents("c")) == headers - {"numpy/_numpyconfig.h"}
    assert "numpy/_numpyconfig.h" in headers
    assert "numpy/ndarraytypes.h" in headers
    names = list(read_documents("code"))
    assert names == sorted(names) and "ast.py" in names
    assert not any("sysconfigdata" in name for name in names)
    assert read_documents("c")["numpy/arrayobject.h"].startswith("#ifndef NUMPY_CORE_INCLUDE_NUMPY_ARRAYOBJECT_H_")


def test_a_new_register_is_one_line(monkeypatch):
    documents = {f"song {n}": f"verse number {n} of a song that nobody sings\n" * 20 for n in range(30)}
    monkeypatch.setitem(READERS, "songs", lambda: documents)
    monkeypatch.setattr("cemrnn.tasks.sequences.text.REGISTERS", (*READERS, "corpus"))
    data = TextSet(registers=("songs", "prose"), **SIZES)
    assert data.n_contexts == 2
    assert "".join(_texts(data)["songs"][part] for part in PARTS).count("verse number 7 of") == 20


def test_the_alphabet_is_the_most_frequent_characters_and_one_for_all_others():
    alphabet = PROSE.alphabet()
    assert len(alphabet) == 40 == len(set(alphabet))
    assert alphabet[-1] == OTHER and " " in alphabet[:3]
    codes = PROSE.codes()["prose"]["training"]
    counts = np.bincount(codes, minlength=40)
    assert (np.diff(counts[:-1]) <= 0).all()


def test_trials_depend_on_seed_and_number_alone_and_take_registers_in_turn():
    data = TextSet(registers=("prose", "code"), **SIZES)
    both, alone = data.draw([4, 9], 5, 6), data.draw([9], 5, 6)
    assert both.inputs.shape == (2, 6, 20, 40) and both.targets.shape == (2, 6, 20)
    assert (both.inputs[1] == alone.inputs[0]).all()
    assert alone.context[0].tolist() == [0, 1] * 3
    assert (data.draw([9], 6, 6).targets != alone.targets).any()
    assert (alone.inputs[0, :, 1:].argmax(-1) == alone.targets[0, :, :-1]).all()


def test_three_registers_take_turns_over_updates():
    data = TextSet(registers=("prose", "code", "c"), **SIZES)
    drawn = [data.draw([9], number, 4).context[0].tolist() for number in range(3)]
    assert sum(drawn, []) == [0, 1, 2] * 4
    batch = data.held_out("test", 500)
    counts = np.bincount(batch.context[0]).tolist()
    assert len(counts) == 3 and len(set(counts)) == 1


def test_any_file_can_be_a_corpus(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("".join(f"line {n} says {n * n}\n" for n in range(2000)), encoding="utf-8")
    assert "".join(cut_corpus(read_corpus(path)).values()) == path.read_text()
    data = TextSet(registers=("corpus",), corpus=str(path), **SIZES)
    assert {part: len(codes) > 1000 for part, codes in data.codes()["corpus"].items()} == dict.fromkeys(
        ("training", "validation", "test"), True
    )
    assert data.checksum != PROSE.checksum


WORDS = " ".join(f"w{n}x{n * n}" for n in range(4000))  # no word occurs twice


@pytest.mark.parametrize("text", [WORDS, WORDS.replace(" ", ""), f"{WORDS[:20000]}\n{WORDS[20000:]}"])
def test_a_corpus_of_one_long_line_is_cut_between_words(tmp_path, text):
    path = tmp_path / "text8"
    path.write_text(text, encoding="utf-8")
    pieces = cut_corpus(text)
    assert "".join(pieces.values()) == text
    assert len(pieces) >= 49 and max(map(len, pieces.values())) <= 2 * len(text) / 50
    if " " in text:
        assert all(piece.endswith((" ", "\n")) for piece in list(pieces.values())[:-1])
    parts = TextSet(registers=("corpus",), corpus=str(path), **SIZES).codes()["corpus"]
    assert all(len(codes) > 0.08 * len(text) for codes in parts.values())


def test_a_corpus_that_says_everything_twice_is_learned_and_tested_apart(tmp_path):
    path = tmp_path / "twice"
    once = "\n\n".join(WORDS[start : start + 1000] for start in range(0, len(WORDS), 1000))
    path.write_text(f"{once}\n\n{once}\n", encoding="utf-8")
    texts = _texts(TextSet(registers=("corpus",), corpus=str(path), **SIZES))["corpus"]
    words = [{word for word in text.split() if len(word) > 6} for text in texts.values()]
    shared = sum(map(len, words)) - len(set().union(*words))
    assert shared <= 50  # words that a cut of the paragraphs above went through
    with pytest.raises(ValueError, match="paragraphs in one part each, got 'a paragraph of some length' in training"):
        check_apart({"training": "x\n\na paragraph of some length", "test": "a  paragraph of some length\n\nx"})


def test_what_depends_on_who_wrote_a_corpus_is_taken_out_and_said_once(tmp_path, caplog):
    plain, other = tmp_path / "plain", tmp_path / "other"
    text = "".join(f"ligne {n} dit \u00e9t\u00e9 {n * n}\n" for n in range(2000))
    plain.write_bytes(text.encode())
    written = text.replace("\u00e9", "e\u0301").replace("\n", "\r\n")
    other.write_bytes(b"\xef\xbb\xbf" + written.encode() + b"\x1b[0m\r")
    assert read_corpus(plain) == text and not caplog.messages
    assert read_corpus(other) == f"{text}{OTHER}[0m\n"
    [line] = caplog.messages
    for change in ("byte order mark", "line ends", "NFC", "control characters"):
        assert change in line and str(other) in line
    assert normalise_text(text) == (text, [])


def test_control_characters_and_markup_are_plain_text(tmp_path):
    path = tmp_path / "a (b) *#%.txt"
    odd = "<script>&amp;</script> $x^2$ {glue}`a` \\n \x1b\x07\x0c\x85 \u2028 |a|\t\n\n"
    path.write_text("".join(f"{n} {odd}" for n in range(500)), encoding="utf-8")
    data = TextSet(registers=("corpus",), corpus=str(path), **(SIZES | dict(n_symbols=60)))
    alphabet = data.alphabet()
    assert {"<", "&", "$", "{", "`", "|"} <= set(alphabet)
    assert not set(alphabet) & {"\x1b", "\x07", "\x0c", "\x85"} and alphabet.count(OTHER) >= 1
    assert data.held_out("test").inputs.isfinite().all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected text, got an empty file"),
        (b" \n\n", "expected text, got an empty file"),
        (b"\xff\xfe\x00\x81", "expected UTF-8 text, got something else"),
        (b"text\0more", "got zero bytes"),
        ("\ufefftext".encode("utf-16"), "expected UTF-8 text"),
        ("\u00e9t\u00e9 ".encode("latin-1") * 20, "expected UTF-8 text.* iconv"),
        (b"\xef\xbb\xbf\r\n", "got an empty file"),
        (None, "cannot be read"),
    ],
)
def test_a_bad_corpus_is_refused(tmp_path, content, message):
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_corpus(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(registers=("prosa",)), "unknown register 'prosa'; did you mean 'prose'"),
        (dict(registers=("prose", "c", "prose")), "registers: expected 1 or more, each once, got prose, c, prose"),
        (dict(registers=()), "registers: expected 1 or more, each once, got none"),
        (dict(corpus="file"), "corpus: expected a path with the register corpus and none without"),
        (dict(registers=("corpus",)), "corpus: expected a path"),
        (dict(warm_up=20), "warm_up, n_symbols"),
    ],
)
def test_text_sets_refuse_what_does_not_fit(change, message):
    with pytest.raises(ValueError, match=message):
        TextSet(**(dict(registers=("prose",)) | SIZES | change))


def test_documents_with_another_checksum_are_refused():
    with pytest.raises(ValueError, match="checksum: the documents here are not those"):
        TextSet(registers=("prose",), checksum="0" * 64, **SIZES).draw([1], 0, 4)


def test_a_sample_is_in_the_alphabet_and_repeats_with_its_seed():
    model = reader(np.full((40, 40), 1 / 40))
    first, again, other = (draw_sample(model, "start", PROSE, None, 30, seed) for seed in (1, 1, 2))
    assert len(first) == 30 and set(first) <= set(PROSE.alphabet())
    assert first == again != other
