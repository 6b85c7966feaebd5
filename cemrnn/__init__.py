"""Multitask recurrent networks whose context acts on excitability, on synaptic strength, or on both.

    nets = cemrnn.load("fig2_ambiguity", arm="combined")       trained networks of a figure, or of a folder
    nets = cemrnn.train(["memory_pro", ...], arm="synaptic")   networks of your own; tasks may be your own, too
    trials = nets.tasks.draw(50, task="memory_pro", seed=7)    what they are asked
    out = nets.run(trials)                                     what they do: out.outputs, out.rates
    cemrnn.score(out, trials)                                  how well
    nets.history, nets.status                                  how they learned, and how it ended
    tasks = cemrnn.OwnTasks.from_arrays(inputs, targets)       tasks of your own; also from_function, from_environments
    cemrnn.register_task("memory_quarter", ...)                a variant of ours, from a family and a rule
    cemrnn.register_pathway, cemrnn.register_arm               a way of your own for context to act
    module = nets[0].to_torch()                                a torch.nn.Module; cemrnn.nn.CEMRNN(...) is a new one

The rooms, from below: `system`; `random`, `config`; `ranges`; `tasks`; `network`; `measures`, `training`, `dynamics`;
`card`; `store`; `sweep`; `figures`; `reproduce`; `api`, `bench`; `commands`. Nothing is loaded before it is used.
"""

import importlib

from cemrnn.system import startup

__version__ = "0.1.0"
# What a user types -> where it is.
_CONTENTS = {name: "cemrnn.api" for name in ("Network", "Networks", "from_torch", "load", "score", "train")}
_CONTENTS |= {name: "cemrnn.tasks" for name in ("OwnTasks", "TaskSet", "register_task")}
_CONTENTS |= {"Tasks": "cemrnn.tasks.drawing", "Task": "cemrnn.tasks.family"}
_CONTENTS |= {
    name: "cemrnn.network.pathways" for name in ("Look", "Matrix", "Pathway", "register_arm", "register_pathway")
}
_CONTENTS |= {name: "cemrnn.tasks.environments" for name in ("TaskEnvironment", "from_environments")}
_MODULES = {
    name: f"cemrnn.{name}"
    for name in (
        "api", "bench", "card", "commands", "config", "dynamics", "figures", "measures", "network", "random",
        "reproduce", "store", "sweep", "system", "tasks", "training",
    )
} | {"nn": "cemrnn.network.torch_module"}  # fmt: skip
__all__ = [*_CONTENTS, *_MODULES]

startup.let_idle_threads_sleep()
startup.keep_freed_memory()
startup.find_private_folders()


def __getattr__(name: str):
    """Load what is asked for, once."""
    if name in _MODULES:
        value = importlib.import_module(_MODULES[name])
    elif name in _CONTENTS:
        value = getattr(importlib.import_module(_CONTENTS[name]), name)
    else:
        raise AttributeError(f"module 'cemrnn' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
