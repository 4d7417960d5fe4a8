"""Change a service's schema: `python -m platform_kit.migrations order --phase expand`.

A history has two branches. `expand` runs before a rollout and leaves the old code working; `contract` runs after
it, when nothing needs what goes away. The runner takes them one at a time, under a lock, and writes down what it did.
"""

from platform_kit.migrations.environment import run_environment as run_environment
from platform_kit.migrations.location import migrations_directory as migrations_directory
from platform_kit.migrations.runner import Upgrade as Upgrade
from platform_kit.migrations.runner import upgrade as upgrade
