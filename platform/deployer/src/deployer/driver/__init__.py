"""Connects the pure engine with the world: ledger, target and metrics."""

from deployer.driver.driver import Clock as Clock
from deployer.driver.driver import Driver as Driver
from deployer.driver.driver import HookCaller as HookCaller
from deployer.driver.driver import Listener as Listener
from deployer.driver.driver import Observer as Observer
from deployer.driver.driver import SystemClock as SystemClock
from deployer.driver.driver import unheard as unheard
from deployer.driver.journal import decode as decode
from deployer.driver.journal import decode_order as decode_order
from deployer.driver.journal import encode as encode
from deployer.driver.journal import encode_order as encode_order
from deployer.driver.journal import read_rollout as read_rollout
