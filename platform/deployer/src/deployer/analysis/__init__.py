"""The analysis: counts in, verdict out. Pure, so that a ledger replayed gives the same verdicts."""

from deployer.analysis.counterfactual import what_would_change as what_would_change
from deployer.analysis.evidence import Evidence as Evidence
from deployer.analysis.judge import judge as judge
from deployer.analysis.limits import Limits as Limits
from deployer.analysis.look import Look as Look
from deployer.analysis.look import look_between as look_between
from deployer.analysis.power import requests_needed as requests_needed
from deployer.analysis.state import Analysis as Analysis
from deployer.analysis.state import begin as begin
from deployer.analysis.state import begin_step as begin_step
from deployer.analysis.verdict import Rule as Rule
from deployer.analysis.verdict import Verdict as Verdict
from deployer.analysis.verdict import VerdictKind as VerdictKind
from deployer.metrics.counts import Counts as Counts
from deployer.metrics.latency import Latency as Latency
from deployer.metrics.source import Outcome as Outcome
