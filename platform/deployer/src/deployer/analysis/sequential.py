"""The sequential test: evidence that may be looked at after every request.

It guarantees that a signal whose share of bad requests never exceeds its limit p0 is rejected with
a chance of at most alpha, however often and whenever somebody looks, and it finds a fault that
begins in minute 14 as fast as one that begins in minute 1.

**The statistic** is the one of Shiryaev and Roberts (A. N. Shiryaev, "On optimum methods in
quickest detection problems", 1963; S. W. Roberts, Technometrics 8, 1966). For each alternative
share q > p0, a look with n requests of which k were bad is one observation::

    S <- (S + mass) * (q/p0)^k * ((1-q)/(1-p0))^(n-k)

The evidence is the mean of S over the alternatives; above 1/alpha the signal is rejected. Each bit
of mass is a bet that the fault begins at that moment, so a clean start earns no credit that a later
fault would have to pay back first.

**Why alpha holds.** Let the requests of a look be bad with chances of at most p0, given all that
came before and given n. The expectation of the likelihood ratio is then at most (p0 q/p0 + (1-p0)
(1-q)/(1-p0))^n = 1, so E[S after the look | before] <= S + mass. S minus the mass spent so far is a
supermartingale; so is the mean over the alternatives, and S plus the mass that is *still to be
spent* is a non-negative one that begins at the total mass. By Ville's (Doob's) inequality the
chance that it ever reaches 1/alpha is at most alpha times the total mass. `mass_spent` never
exceeds 1, which is all that is asked. Cutting S off at a ceiling only lowers it.

**The mass** depends on nothing but the number of requests: nine tenths evenly over the `planned`
requests, so that no moment of the rollout is favoured, and one tenth over all that come later,
falling with the square of their number: ``spent(t) = 0.9 t/planned`` up to planned, then ``1 - 0.1
planned/t``, which is continuous and stays below 1. The tail costs ln(10/9) = 0.11 nats before, and
a rollout that outlives its plan does not go deaf: a fault at twice the planned number needs ln(36)
= 3.6 nats more.

**The order inside a look** is not known, and costs nothing that matters. Mass is spent before the
likelihood ratio L of the look counts, as if a fault that began in the look had been there from its
first request. Splitting the look into chunks, the bad requests evenly interleaved, is valid too: a
random order would give the part u of the look a ratio with a mean of at least L^u (its logarithm
has the mean u ln L; Jensen). In the limit the mass is then multiplied by (L-1)/ln L instead of L:
less whenever L > 1, which is when it matters, and more only in a clean look, after which the next
one brings fresh mass anyway. So a look stays whole. What a fault in the middle of a look loses is
that look, which is why looks are a second and not a minute apart.

**Against live.** Of the bad requests of a look, is the candidate's share above p0 = m w/(m w +
1-w), with w its share of the look's requests and m the margin (for m = 2: 2w/(1+w))? The same
statistic, with k the candidate's and n-k live's bad requests, q = r m w/(r m w + 1-w) for a
candidate that is r m times as bad. It needs no conditioning on the number of bad requests, and no
small shares: let the candidate's a requests be bad with chance x, live's b with chance y, x <= m y.
With p0 = m a/(m a + b), E[L] = (1 + x (q/p0 - 1))^a (1 - y (1 - (1-q)/(1-p0)))^b; by 1 + z <= e^z
its logarithm is at most (q - p0) (x a/p0 - y b/(1-p0)) = (q - p0) (m a + b) (x/m - y) <= 0. So x
and y may drift as they like.

**Business.** A pair of attempts and successes is asked two questions about the same look, and its
evidence is the mean of both halves. First, as above: are attempts without success more than m times
as frequent as on live? Second, with the roles changed: is a success on live more than 1/(1-d) times
as probable as on the candidate, d being the drop that is allowed (10 %)? That is the same bound with
live as the candidate, successes as what is counted, and the margin 1/(1-d); it holds for any shares,
so also for successes, which are no rare event. For a release that passes both questions each half
plus its mass to come is a non-negative supermartingale of at most 1 at the beginning, so their mean
is one, and alpha is not spent twice. Two halves, because neither finds a fall of 30 % by itself:
where 97 % succeed, the attempts without success rise from 3 to 32 %, which the first sees in 108
attempts and the second in 658 (p90); where 60 % do, they rise from 40 to 58 %, which is within twice
as many, and only the second sees it, in 1,086. The mass is that of the candidate's requests since the look
that was counted last: it telescopes, so the total stays below 1 however few of them are attempts.

**Alternatives**, in odds of the limit: 1.4, 2, 5, 20, which for 5 % are 6.9, 9.5, 20.8 and 51.3 %.
The first is there so that 7 % is found at all: a statistic whose nearest alternative is 9.5 % falls
while the true share is below 7 %. Rates against live: 2, 8 and 50 times the margin; of successes 1.25, 2 and 10 times, which are falls
by 28, 55 and 91 %. Requests to
reject, p90 of seeded rollouts (1,000 each; 400 after 5,000; 150 for 7 %), looks of two requests,
limit 5 %, 0.5 % bad before the fault, alpha 1 % shared among six signals (one of them a business
pair), 10,000 planned:

=====  =======  ===========  ===========  ======
share  at once  after 1,000  after 5,000  budget
=====  =======  ===========  ===========  ======
100 %        8            8            8
 50 %       30           30           30      40
 20 %      162          164          164     180
 15 %      344          320          318
 10 %      924          918          912   1,200
  7 %    4,598        4,230        4,606
=====  =======  ===========  ===========  ======

Attempts of the candidate until a business pair rejects, p90 of 100, two a look to 18 of live's:

=========  ==========  ==========  ===========
succeeded  fall 30 %   fall 50 %   fall 100 %
=========  ==========  ==========  ===========
     97 %         134          52           18
     90 %         404         128           24
     80 %         886         244           26
     60 %       1,162         324           34
=========  ==========  ==========  ===========
"""

from __future__ import annotations

import math
from functools import lru_cache

Ratios = tuple[tuple[float, float], ...]
"""For each alternative, the logarithm of the likelihood ratio of a bad and of a good request."""

ODDS = (1.4, 2.0, 5.0, 20.0)
RATES = (2.0, 8.0, 50.0)
SUCCESS_RATES = (1.25, 2.0, 10.0)

TAIL = 0.1  # of the mass, for what comes after the planned requests
_LARGEST_EXPONENT = 600.0  # e^600 times any ceiling is a finite float


def mass_spent(requests: float, planned: float) -> float:
    """Return the mass spent after so many requests: rises from 0, never above 1."""
    if requests <= planned:
        return (1.0 - TAIL) * requests / planned
    return 1.0 - TAIL * planned / requests


@lru_cache(maxsize=64)
def against_limit(limit: float) -> Ratios:
    """Return the ratios of a test against a fixed share; none when nothing can exceed it."""
    if limit >= 1.0:
        return ()
    odds = limit / (1.0 - limit)
    shares = [times * odds / (1.0 + times * odds) for times in ODDS]
    return tuple((math.log(q / limit), math.log((1.0 - q) / (1.0 - limit))) for q in shares)


@lru_cache(maxsize=4096)
def limit_factors(limit: float, bad: int, good: int) -> tuple[float, ...]:
    """Return what a look with so many bad and good requests multiplies the statistics by."""
    return tuple(_exp(bad * a + good * b) for a, b in against_limit(limit))


@lru_cache(maxsize=4096)
def against_live(
    requests: int, live_requests: int, margin: float, rates: tuple[float, ...] = RATES
) -> Ratios:
    """Return, for each rate, the logarithms of the ratios of a request bad here and bad on live.

    With x = margin * requests / live_requests, a request that is bad on live has the ratio
    (1+x)/(1+rx), one on the candidate r times that. Both slots must have had requests.
    """
    x = margin * requests / live_requests
    base = math.log1p(x)
    on_live = [base - math.log1p(rate * x) for rate in rates]
    return tuple((math.log(rate) + log, log) for rate, log in zip(rates, on_live, strict=True))


@lru_cache(maxsize=4096)
def live_factors(
    requests: int, live_requests: int, margin: float, bad: int, live_bad: int
) -> tuple[float, ...]:
    """Return what a look at both slots multiplies the statistics against live by."""
    ratios = against_live(requests, live_requests, margin)
    return tuple([_exp(bad * a + live_bad * b) for a, b in ratios])


def business_ratios(
    attempts: int, live_attempts: int, *, margin: float, drop: float
) -> tuple[Ratios, Ratios]:
    """Return the ratios of both halves: of attempts without success, and of successes.

    The second half has the roles changed: its first logarithm is live's, its second the candidate's.
    """
    without = against_live(attempts, live_attempts, margin)
    done = against_live(live_attempts, attempts, 1.0 / (1.0 - drop), SUCCESS_RATES)
    return without, done


def business_factors(
    seen: tuple[int, int, int, int], *, margin: float, drop: float
) -> tuple[float, ...]:
    """Return what a look multiplies a business signal's statistics by.

    `seen` are the candidate's attempts, how many came to nothing, and the same of live.
    """
    attempts, failed, live_attempts, live_failed = seen
    without, done = business_ratios(attempts, live_attempts, margin=margin, drop=drop)
    successes, live_successes = attempts - failed, live_attempts - live_failed
    factors = [_exp(failed * a + live_failed * b) for a, b in without]
    factors += [_exp(live_successes * a + successes * b) for a, b in done]
    return tuple(factors)


def update(
    statistics: tuple[float, ...], factors: tuple[float, ...], *, mass: float, ceiling: float
) -> tuple[float, ...]:
    """Return the statistics after one look.

    None rises above `ceiling`, so that a long outage is forgotten as fast as a short one.
    """
    return tuple(
        [
            risen if (risen := (s + mass) * factor) < ceiling else ceiling
            for s, factor in zip(statistics, factors, strict=True)
        ]
    )


def _exp(logarithm: float) -> float:
    return math.exp(min(_LARGEST_EXPONENT, logarithm))
