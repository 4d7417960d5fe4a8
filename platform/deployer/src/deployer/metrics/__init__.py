"""What is measured: readings of both slots, and the source that scrapes them."""

from deployer.metrics.counts import Counts as Counts
from deployer.metrics.latency import Latency as Latency
from deployer.metrics.prometheus import Prometheus as Prometheus
from deployer.metrics.router import BucketMissingError as BucketMissingError
from deployer.metrics.scrape import Scrape as Scrape
from deployer.metrics.scrape import gateway_label as gateway_label
from deployer.metrics.source import Instance as Instance
from deployer.metrics.source import MetricsSource as MetricsSource
from deployer.metrics.source import Outcome as Outcome
from deployer.metrics.source import Reading as Reading
