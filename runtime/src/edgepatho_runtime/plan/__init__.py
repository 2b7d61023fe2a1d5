"""The planner: from a bundle's graph to what the core does at one image size."""

from edgepatho_runtime.plan.planner import Plan, build

__all__ = ["Plan", "build"]
