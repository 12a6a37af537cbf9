"""What is done with an answer: the launch command of its engine."""

from stackwright.deploy.command import LaunchCommand, ServingSettings
from stackwright.deploy.flags import flag_problems
from stackwright.deploy.launch import launch_command

__all__ = ["LaunchCommand", "ServingSettings", "flag_problems", "launch_command"]
