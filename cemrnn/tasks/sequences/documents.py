"""Documents of every register, from what comes with each installation; without repeats, and split as wholes.

A register is one line in `READERS`: its name, and the function that reads its documents. Besides, `corpus` is any file.
A paragraph that occurs again, in the same document or in another, is left out the second time, so that no paragraph is
both learned and tested; `check_apart` proves it of the parts.
"""

from __future__ import annotations

import fnmatch
import hashlib
import itertools
import logging
import re
import sysconfig
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from cemrnn.config import unknown_name

OTHER = "\ufffd"  # stands for every character that a text set does not tell apart, or that is no text
HELD_OUT_SHARE = 0.12  # of the characters, for validation, and again for the test
SHORTEST_REPEAT = 20  # characters; shorter paragraphs may occur again
CORPUS_PIECES = 50  # documents that a single file is cut into
PARTS = ("training", "validation", "test")
_NO_TEXT = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")  # what no page or picture can show

log = logging.getLogger(__name__)


def read_topics() -> dict[str, str]:
    """Prose: the reference topics that come with CPython, topic -> text."""
    from pydoc_data.topics import topics

    return topics


def read_modules() -> dict[str, str]:
    """Code: the modules of the standard library, file -> text; not the one that describes this build of Python."""
    return _read_files(Path(sysconfig.get_paths()["stdlib"]), "*.py", left_out="_sysconfigdata*")


def read_headers() -> dict[str, str]:
    """C: the headers that come with NumPy, path -> text; not the one that describes this build of NumPy."""
    return _read_files(Path(np.get_include()), "**/*.h", left_out="*/_numpyconfig.h")


READERS: dict[str, Callable[[], dict[str, str]]] = {"prose": read_topics, "code": read_modules, "c": read_headers}
REGISTERS = (*READERS, "corpus")


def check_registers(registers: Sequence[str], known: Iterable[str], fewest: int) -> None:
    """Check that there are enough registers, all of them known, and none named twice.

    Raises:
        ValueError: they are not.
    """
    for name in registers:
        if name not in known:
            raise ValueError(unknown_name(name, known, "register"))
    if len(registers) < fewest or len(set(registers)) < len(registers):
        raise ValueError(f"registers: expected {fewest} or more, each once, got {', '.join(registers) or 'none'}")


def read_documents(register: str, corpus: str = "") -> dict[str, str]:
    """Name -> text of every document of a register, in the order of the names.

    Raises:
        ValueError: the corpus is missing, empty, or no UTF-8 text.
    """
    if register != "corpus":
        return dict(sorted(READERS[register]().items()))
    whole = drop_repeats({corpus: read_corpus(Path(corpus))})  # before the cuts, which hide what is repeated
    return cut_corpus(whole[corpus])


def read_corpus(path: Path) -> str:
    """Text of a file; what is changed in it, by `normalise_text`, is logged in one line.

    Raises:
        ValueError: there is none, it is empty, or no UTF-8 text.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"corpus: expected UTF-8 text, got something else in {path} ({error}); an editor, or iconv, converts it"
        ) from None
    except OSError as error:
        raise ValueError(f"corpus: {path} cannot be read ({error.strerror})") from None
    if "\0" in text:
        raise ValueError(f"corpus: expected text, got zero bytes in {path}")
    text, changes = normalise_text(text)
    if not text.strip():
        raise ValueError(f"corpus: expected text, got an empty file, {path}")
    if changes:
        log.warning("corpus: %s: %s", path, "; ".join(changes))
    return text


def normalise_text(text: str) -> tuple[str, list[str]]:
    """The text without what depends on who wrote the file, and what was done to it, in words.

    A byte order mark goes, lines end with "\\n", accents are one character with their letter (NFC), and control
    characters become U+FFFD.
    """
    changes = []
    for change, done in (
        (lambda x: x.removeprefix("\ufeff"), "a byte order mark left out"),
        (lambda x: x.replace("\r\n", "\n").replace("\r", "\n"), "line ends made \\n"),
        (lambda x: unicodedata.normalize("NFC", x), "characters composed (NFC)"),
        (lambda x: _NO_TEXT.sub(OTHER, x), "control characters replaced"),
    ):
        text, before = change(text), text
        if text != before:
            changes.append(done)
    return text, changes


def cut_corpus(text: str) -> dict[str, str]:
    """Pieces of a text, of about equal length, as documents: cut between lines, longer lines between words.

    A line without a space for long is cut anywhere.
    """
    longest = max(1, len(text) // CORPUS_PIECES)
    pieces: dict[str, str] = {}
    units = itertools.chain.from_iterable(_cut_line(line, longest) for line in text.splitlines(keepends=True))
    end = 0
    for unit in units:
        end += len(unit)
        number = min((end - 1) * CORPUS_PIECES // len(text), CORPUS_PIECES - 1)
        pieces[f"piece {number:02d}"] = pieces.get(f"piece {number:02d}", "") + unit
    return pieces


def _cut_line(line: str, longest: int) -> list[str]:
    """The line, or parts of it of at most so many characters, that end with a space where there is one."""
    parts = []
    while len(line) > longest:
        end = line.rfind(" ", 0, longest) + 1 or longest
        parts.append(line[:end])
        line = line[end:]
    return [*parts, line] if line else parts


def drop_repeats(documents: Mapping[str, str]) -> dict[str, str]:
    """The documents without paragraphs that occurred before; short ones stay, and documents of nothing else go."""
    seen, kept = set(), {}
    for name, text in documents.items():
        paragraphs = []
        for paragraph in text.split("\n\n"):
            mark = " ".join(paragraph.split())
            if len(mark) < SHORTEST_REPEAT or mark not in seen:
                paragraphs.append(paragraph)
                seen.add(mark)
        if any(paragraph.strip() for paragraph in paragraphs):
            kept[name] = "\n\n".join(paragraphs) + "\n\n"
    return kept


def check_apart(texts: Mapping[str, str]) -> None:
    """Check that no paragraph is in two parts, but short ones.

    Args:
        texts: part -> text.

    Raises:
        ValueError: some are; the message shows one.
    """
    marks = {part: {" ".join(paragraph.split()) for paragraph in text.split("\n\n")} for part, text in texts.items()}
    for first, second in itertools.combinations(marks, 2):
        for mark in marks[first] & marks[second]:
            if len(mark) >= SHORTEST_REPEAT:
                raise ValueError(
                    f"documents: expected paragraphs in one part each, got {mark[:60]!r} in {first}, {second}"
                )


def split_documents(documents: Mapping[str, str]) -> dict[str, list[str]]:
    """Part -> names of its documents, each in one part.

    In the order of a hash of their names, documents go to the test until it has its share of all characters, then to
    validation, and then to training. None that is longer than such a share is held out.

    Raises:
        ValueError: there are too few documents.
    """
    share = HELD_OUT_SHARE * sum(map(len, documents.values()))
    parts: dict[str, list[str]] = {part: [] for part in PARTS}
    sizes = dict.fromkeys(PARTS, 0)
    for name in sorted(documents, key=lambda name: hashlib.sha256(name.encode()).hexdigest()):
        size = len(documents[name])
        open_parts = [part for part in ("test", "validation") if size <= share and sizes[part] < share]
        part = open_parts[0] if open_parts else "training"
        parts[part].append(name)
        sizes[part] += size
    if not all(parts.values()):
        raise ValueError(f"documents: expected enough to train, validate and test, got {len(documents)}")
    return parts


def _read_files(folder: Path, pattern: str, left_out: str) -> dict[str, str]:
    """Path below the folder -> text of the files of a pattern there, but for those of another."""
    paths = {path.relative_to(folder).as_posix(): path for path in folder.glob(pattern)}
    kept = {name: path for name, path in paths.items() if not fnmatch.fnmatchcase(name, left_out)}
    return {name: path.read_text(encoding="utf-8", errors="replace") for name, path in kept.items()}
