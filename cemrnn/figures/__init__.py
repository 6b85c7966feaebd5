"""One module per figure: `plot(result)` draws what the experiment of the same stem computed."""

from types import ModuleType

from cemrnn.figures import (
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

FIGURES: dict[str, ModuleType] = {
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
