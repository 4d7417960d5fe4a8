"""The demo: a release goes out under live traffic, a bad one is caught, and nobody notices."""

from deployer.commands.demo.play import Play as Play
from deployer.commands.demo.play import Scene as Scene
from deployer.commands.demo.report import Report as Report
