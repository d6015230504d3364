"""Closed forms and quadratures: what the simulator and the grid solver are judged by."""

from shld_sim.theory.bounds import (
    claimed_energy_bound,
    corrected_energy_bound,
    quadratic_energy,
    stationary_energy_bound,
)
from shld_sim.theory.chains import (
    euler_stable_scale,
    euler_variance,
    ornstein_uhlenbeck_moments,
    split_stable_scale,
)
from shld_sim.theory.consolidation import (
    consolidation_ratio,
    energy_generator,
    energy_generator_as_stated,
    gamma,
    gamma_hessian,
    mean_curvature,
)
from shld_sim.theory.curvature import geodesic_exit_time
from shld_sim.theory.edge import (
    best_step,
    claimed_progress_factor,
    noisy_margin,
    one_step_change,
    progress_factor,
    step_threshold,
)
from shld_sim.theory.exit_times import (
    exit_probability,
    mean_exit_time,
)
from shld_sim.theory.gibbs import (
    gibbs_cdf,
    gibbs_density,
    gibbs_expectation,
    log_partition_function,
    partition_function,
)
from shld_sim.theory.kramers import (
    arrhenius_time,
    eyring_kramers_rate,
    kramers_rate_as_stated,
)
from shld_sim.theory.levy_exit import (
    getoor_mean_exit_time,
    imkeller_pavlyukevich_time,
)
from shld_sim.theory.multiplicative import (
    almost_sure_exponent,
    chain_almost_sure_exponent,
    chain_mean_square_factor,
    chain_mean_square_threshold,
    gamma_linear,
    kesten_tail_exponent,
    mean_square_exponent,
)
from shld_sim.theory.signal import (
    descent_probability,
    gaussian_information,
    gradient_consolidation,
    metric_consolidation,
    pruned_consolidation_ratio,
    pruned_consolidation_ratio_as_stated,
)
from shld_sim.theory.stable import (
    harmonic_stable_cdf,
    harmonic_stable_density,
    harmonic_stable_scale,
    quartic_density_at_zero,
    quartic_second_moment,
    quartic_stable_cdf,
    quartic_stable_density,
    stable_cdf,
    stable_pdf,
    stable_ppf,
)
from shld_sim.theory.tails import block_sum_limit, downhill_probability, jump_rate
from shld_sim.theory.uncertainty import (
    cramer_rao_product,
    gaussian_uncertainty_product,
    uncertainty_bound,
    uncertainty_product,
)

__all__ = [
    "almost_sure_exponent",
    "arrhenius_time",
    "best_step",
    "block_sum_limit",
    "chain_almost_sure_exponent",
    "chain_mean_square_factor",
    "chain_mean_square_threshold",
    "claimed_energy_bound",
    "claimed_progress_factor",
    "consolidation_ratio",
    "corrected_energy_bound",
    "cramer_rao_product",
    "descent_probability",
    "downhill_probability",
    "energy_generator",
    "energy_generator_as_stated",
    "euler_stable_scale",
    "euler_variance",
    "exit_probability",
    "eyring_kramers_rate",
    "gamma",
    "gamma_hessian",
    "gamma_linear",
    "gaussian_information",
    "gaussian_uncertainty_product",
    "geodesic_exit_time",
    "getoor_mean_exit_time",
    "gibbs_cdf",
    "gibbs_density",
    "gibbs_expectation",
    "gradient_consolidation",
    "harmonic_stable_cdf",
    "harmonic_stable_density",
    "harmonic_stable_scale",
    "imkeller_pavlyukevich_time",
    "jump_rate",
    "kesten_tail_exponent",
    "kramers_rate_as_stated",
    "log_partition_function",
    "mean_curvature",
    "mean_exit_time",
    "mean_square_exponent",
    "metric_consolidation",
    "noisy_margin",
    "one_step_change",
    "ornstein_uhlenbeck_moments",
    "partition_function",
    "progress_factor",
    "pruned_consolidation_ratio",
    "pruned_consolidation_ratio_as_stated",
    "quadratic_energy",
    "quartic_density_at_zero",
    "quartic_second_moment",
    "quartic_stable_cdf",
    "quartic_stable_density",
    "split_stable_scale",
    "stable_cdf",
    "stable_pdf",
    "stable_ppf",
    "stationary_energy_bound",
    "step_threshold",
    "uncertainty_bound",
    "uncertainty_product",
]
