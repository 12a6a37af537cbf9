"""What is done with an answer: the launch command of its engine."""

from stackwright.deploy.adapters import with_adapters
from stackwright.deploy.command import LaunchCommand, ServingSettings
from stackwright.deploy.flags import flag_problems
from stackwright.deploy.launch import launch_command
from stackwright.deploy.ways import PoolLaunch, drafting, pool_launch

__all__ = [
    "LaunchCommand",
    "PoolLaunch",
    "ServingSettings",
    "drafting",
    "flag_problems",
    "launch_command",
    "pool_launch",
    "with_adapters",
]
