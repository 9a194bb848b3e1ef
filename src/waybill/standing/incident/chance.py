"""How likely so many failures are by chance, given what is usual."""

import math

_NEGLIGIBLE = 1e-12


def beta_binomial_tail(failures: int, trials: int, usual: float, strength: float) -> float:
    """The probability of at least so many failures where the share itself varies about ``usual``.

    The share is Beta-distributed with mean ``usual`` and the weight of ``strength`` trials: real mail fails in clumps, and a
    plain binomial would see an incident in each of them.
    """
    if failures <= 0:
        return 1.0
    alpha, beta = usual * strength, (1 - usual) * strength
    log_term = (
        math.lgamma(trials + 1)
        - math.lgamma(failures + 1)
        - math.lgamma(trials - failures + 1)
        + math.lgamma(failures + alpha)
        + math.lgamma(trials - failures + beta)
        - math.lgamma(trials + strength)
        + math.lgamma(strength)
        - math.lgamma(alpha)
        - math.lgamma(beta)
    )
    term, total = 1.0, 1.0
    for count in range(failures, trials):
        term *= (trials - count) / (count + 1) * (count + alpha) / (trials - count - 1 + beta)
        total += term
        if term < _NEGLIGIBLE * total:
            break
    return min(1.0, math.exp(log_term) * total)


def gamma_poisson_tail(events: int, exposure: float, usual: float, strength: float) -> float:
    """The probability of at least so many events, where the rate per unit of exposure varies about ``usual``.

    The rate is Gamma-distributed with mean ``usual`` and shape ``strength``, which makes the count negative binomial.
    """
    if events <= 0:
        return 1.0
    mean = usual * exposure
    failing = strength / (strength + mean)
    below = sum(
        math.exp(
            math.lgamma(count + strength)
            - math.lgamma(strength)
            - math.lgamma(count + 1)
            + strength * math.log(failing)
            + count * math.log1p(-failing)
        )
        for count in range(events)
    )
    return max(0.0, 1.0 - below)


def evidence_of(failures: int, trials: int, *, usual: float, bad: float) -> float:
    """The log of how much likelier the counts are where the share is ``bad`` than where it is ``usual`` (Wald's ratio)."""
    return failures * math.log(bad / usual) + (trials - failures) * math.log((1 - bad) / (1 - usual))
