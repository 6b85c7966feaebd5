"""A generator of trials that is made up, with the manners of the public ones, right and wrong."""

# Four tasks as in the public code of Driscoll et al. 2024, and what its module does when it is imported.
GENERATOR = """
from __future__ import division
import six
import numpy as np
import tensorflow as tf
import getpass
from datetime import datetime

folder = {"laura": "/home/laura"}[getpass.getuser()]
np_load_old = np.load
np.load = lambda *a, **k: np_load_old(*a, allow_pickle=True, **k)
arm = np.load(folder + "/arm.npy").item()["outputs"]


class Trial(object):
    def __init__(self, config, tdim, batch_size):
        self.tdim, self.x = tdim, np.zeros((tdim, batch_size, config["n_input"]), "float32")
        self.y_loc = -np.ones((tdim, batch_size), "float32")

    def add(self, kind, locs=None, ons=None, offs=None, strengths=1, mods=None):
        if kind == "out":
            self.y_loc[ons:] = locs
        elif kind == "fix_in":
            self.x[:offs, :, 0] = 1
        else:
            for i, (theta, strength, mod) in enumerate(np.broadcast(locs, strengths, mods)):
                self.x[ons:offs, i, 2 * mod - 1] += strength * np.sin(theta)
                self.x[ons:offs, i, 2 * mod] += strength * np.cos(theta)


def delaygo(config, mode, batch_size):
    rng, dt = config["rng"], config["dt"]
    theta = rng.rand(batch_size) * 2 * np.pi
    on = int(rng.uniform(300, 700) / dt)
    off = on + int(rng.uniform(200, 1600) / dt)
    go = off + int(rng.uniform(200, 1600) / dt)
    trial = Trial(config, go + int(rng.uniform(300, 700) / dt), batch_size)
    trial.add("fix_in", offs=go)
    trial.add("stim", theta, ons=on, offs=off, mods=rng.choice([1, 2]))
    trial.add("out", theta, ons=go)
    trial.epochs = {"fix1": (None, on), "stim1": (on, off), "delay1": (off, go), "go1": (go, None)}
    return trial


def multidelaydm(config, mode, batch_size):
    rng, dt = config["rng"], config["dt"]
    first = rng.uniform(0, 2 * np.pi, batch_size)
    second = (first + rng.uniform(0.5 * np.pi, 1.5 * np.pi, batch_size) * rng.choice([-1, 1], batch_size)) % (2 * np.pi)
    mean = rng.uniform(0.8, 1.2, batch_size)
    half = rng.uniform(0.005, 0.8, batch_size) * rng.choice([1, -1], batch_size)
    whole = [mean + half, mean - half]
    part = [s * np.random.uniform(0.005, 0.8, batch_size) * np.random.choice([1, -1], batch_size) / 2 for s in whole]
    spans = ("200-600", "200-1600", "200-1600", "200-1600", "100-300", "300-700")
    ends = np.cumsum([int(rng.uniform(*map(float, span.split("-"))) / dt) for span in spans])
    trial = Trial(config, int(ends[-1]), batch_size)
    trial.add("fix_in", offs=ends[4])
    for mod, way in ((1, 1), (2, -1)):
        for theta, s, d, k in zip((first, second), whole, part, (0, 2)):
            trial.add("stim", theta, ons=ends[k], offs=ends[k + 1], strengths=s + way * d, mods=mod)
    trial.add("out", np.where(whole[0] > whole[1], first, second), ons=int(ends[4]))
    names = ("fix1", "stim1", "delay1", "stim2", "delay2", "go1")
    trial.epochs = dict(zip(names, zip([None, *ends[:-1]], [*ends[:-1], None])))
    return trial


def fdgo(config, mode, batch_size):
    rng, dt = config["rng"], config["dt"]
    theta, on = rng.rand(batch_size) * 2 * np.pi, int(rng.uniform(300, 700) / dt)
    go = on + int(rng.uniform(200, 1500) / dt)
    trial = Trial(config, go + int(rng.uniform(300, 700) / dt), batch_size)
    trial.add("fix_in", offs=go)
    trial.add("stim", theta, ons=on, mods=rng.choice([1, 2]))
    trial.add("out", theta, ons=go)
    trial.epochs = {"fix1": (None, on), "stim1": (on, go), "go1": (go, None)}
    return trial


def reactgo(config, mode, batch_size):
    rng, dt = config["rng"], config["dt"]
    theta, go = rng.rand(batch_size) * 2 * np.pi, int(rng.uniform(500, 2500) / dt)
    trial = Trial(config, go + int(rng.uniform(300, 1700) / dt), batch_size)
    trial.add("fix_in")
    trial.add("stim", theta, ons=go, mods=rng.choice([1, 2]))
    trial.add("out", theta, ons=go)
    trial.epochs = {"fix1": (None, go), "go1": (go, None)}
    return trial


rule_mapping = {"delaygo": delaygo, "multidelaydm": multidelaydm, "fdgo": fdgo, "reactgo": reactgo}


def generate_trials(rule, hp, mode, noise_on=True, **kwargs):
    trial = rule_mapping[rule](hp, mode, **kwargs)
    if rule is "testinit":
        return trial
    trial.x[:, :, hp["rule_start"]] = 1
    if noise_on:
        trial.x += hp["rng"].randn(*trial.x.shape) * hp["sigma_x"] * np.sqrt(2 / hp["alpha"])
    return trial
"""


def write_generator(folder, *changes):
    """A copy of a repository with that generator, in which texts are replaced: (old, new) each."""
    text = GENERATOR
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "stepnet").mkdir(parents=True, exist_ok=True)
    (folder / "stepnet" / "task.py").write_text(text)
    return folder
