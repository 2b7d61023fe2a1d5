"""The planner: from a bundle's graph to the core's plan for one image size."""

from edgepatho_runtime.plan.planner import Plan, build

__all__ = ["Plan", "build"]
