"""One module per figure: `conditions(config)` lists the networks it needs, `run(config)` computes its Result."""

from types import ModuleType

from cemrnn.experiments import (
    fig1_tasks,
    fig2_ambiguity,
    fig3_packing,
    fig4_dynamics,
    fig5_synergy,
    fig6_timescales,
    fig7_images,
    fig8_text,
    fig9_overhead_scaling,
    fig10_interpretability,
    fig11_network,
)

EXPERIMENTS: dict[str, ModuleType] = {
    "fig1_tasks": fig1_tasks,
    "fig2_ambiguity": fig2_ambiguity,
    "fig3_packing": fig3_packing,
    "fig4_dynamics": fig4_dynamics,
    "fig5_synergy": fig5_synergy,
    "fig6_timescales": fig6_timescales,
    "fig7_images": fig7_images,
    "fig8_text": fig8_text,
    "fig9_overhead_scaling": fig9_overhead_scaling,
    "fig10_interpretability": fig10_interpretability,
    "fig11_network": fig11_network,
}
