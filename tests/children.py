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
    receiver, sender = CONTEXT.Pipe(duplex=False)
    child = CONTEXT.Process(target=_answer, args=(sender, function, arguments, prepare))
    child.start()
    sender.close()
    try:
        kind, answer = receiver.recv()
    finally:
        child.join()
    assert kind == "answer", answer
    return answer


def _answer(sender, function, arguments, prepare):
    try:
        if prepare is not None:
            prepare()
        sender.send(("answer", function(*arguments)))
    except BaseException:
        sender.send(("error", traceback.format_exc()))
