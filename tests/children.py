"""Functions of tests that run in processes of their own."""

import multiprocessing
import os
import traceback

import pytest

CONTEXT = multiprocessing.get_context("fork")  # a child needs no second to import torch


def as_nobody():
    """Become a user who may write nothing."""
    os.setgid(65534)
    os.setuid(65534)


def run_child(function, *arguments, prepare=None):
    """What the function returns, from a child process that calls `prepare` first."""
    if prepare is as_nobody and os.getuid() != 0:
        pytest.skip("only root can become nobody")
    return _collect([_start(function, arguments, prepare)])[0]


def run_together(calls):
    """What each function returns; all run at once, each in a child process of its own.

    Args:
        calls: a function with its arguments, each; the function gets a barrier that all share before them.
    """
    barrier = CONTEXT.Barrier(len(calls), timeout=60)
    return _collect([_start(function, (barrier, *arguments), None) for function, *arguments in calls])


def _start(function, arguments, prepare):
    receiver, sender = CONTEXT.Pipe(duplex=False)
    child = CONTEXT.Process(target=_answer, args=(sender, function, arguments, prepare))
    child.start()
    sender.close()
    return child, receiver


def _collect(started):
    answers = [receiver.recv() for _, receiver in started]
    for child, _ in started:
        child.join()
    errors = [answer for kind, answer in answers if kind == "error"]
    assert errors == [], "".join(errors)
    return [answer for _, answer in answers]


def _answer(sender, function, arguments, prepare):
    try:
        if prepare is not None:
            prepare()
        sender.send(("answer", function(*arguments)))
    except BaseException:
        sender.send(("error", traceback.format_exc()))
