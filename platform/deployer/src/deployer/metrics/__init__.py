"""What is measured: readings of both slots, and the source that scrapes them."""

from deployer.metrics.asking import Crew as Crew
from deployer.metrics.counts import Counts as Counts
from deployer.metrics.instances import pages_of as pages_of
from deployer.metrics.latency import Latency as Latency
from deployer.metrics.pages import Page as Page
from deployer.metrics.pages import Told as Told
from deployer.metrics.prometheus import Prometheus as Prometheus
from deployer.metrics.router import BucketMissingError as BucketMissingError
from deployer.metrics.scrape import Scrape as Scrape
from deployer.metrics.scrape import gateway_label as gateway_label
from deployer.metrics.source import Instance as Instance
from deployer.metrics.source import MetricsSource as MetricsSource
from deployer.metrics.source import Outcome as Outcome
from deployer.metrics.source import Reading as Reading
from deployer.metrics.variants import VariantSource as VariantSource
from deployer.metrics.variants import counts_by_variant as counts_by_variant
from deployer.metrics.variants import digest_on as digest_on
from deployer.metrics.variants import expiry_by_flag as expiry_by_flag
