"""Checkouts for the deployer's tests: real code, real git, ports of their own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from deployer.targets.local.ports import free_ports

REPOSITORY = Path(__file__).parents[3]
ENVIRONMENT = """
target = "local"

[rollout]
weights = [50, 100]
hold_seconds = 0.5
monitor_seconds = 0.5
ease_seconds = 0.5
look_seconds = 0.1
patience_seconds = 20
standby_seconds = 600

[instance]
drain_seconds = 5
ready_seconds = 30
faults_allowed = true

[ports]
public = {0}
internal = {1}
admin = {2}
"""


def git(folder: Path, *arguments: str) -> str:
    """Run git in a checkout of a test, as nobody in particular."""
    who = ("-c", "user.name=test", "-c", "user.email=test@example.test")
    done = subprocess.run(
        ("git", *who, *arguments), cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def set_version(checkout: Path, version: str, *, service: str = "product") -> str:
    """Write another version into a service's pyproject.toml, commit it, and return the commit."""
    path = checkout / "services" / service / "pyproject.toml"
    lines = path.read_text().splitlines()
    fresh = [f'version = "{version}"' if line.startswith("version =") else line for line in lines]
    path.write_text("\n".join(fresh) + "\n")
    git(checkout, "commit", "--all", "--allow-empty", "--message", f"{service} {version}")
    return git(checkout, "rev-parse", "HEAD")


def make_checkout(root: Path, releases_folder: Path) -> Path:
    """Make a git checkout with the service product alone, at 1.0.0, and ports that are free."""
    # The tests number its releases anew, so its contracts would be for others.
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache", "tests", "c[0-9]*.py")
    for path in ("platform/kit", "services/product", "migrations/product"):
        shutil.copytree(REPOSITORY / path, root / path, ignore=ignored)
    shutil.copyfile(REPOSITORY / "constraints.txt", root / "constraints.txt")
    (root / "services/product/releases.toml").write_text("")
    for name in ("pyproject.toml", "story.toml"):
        path = root / "services/product" / name
        path.write_text(path.read_text().replace('needs = ["auth"]', "needs = []"))
    (root / "environments").mkdir()
    (root / "environments/local.toml").write_text(ENVIRONMENT.format(*free_ports(3)))
    (root / ".gitignore").write_text(".deployer/\n__pycache__/\n")
    (root / ".deployer").mkdir()
    (root / ".deployer/releases").symlink_to(releases_folder)
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    set_version(root, "1.0.0")
    return root
