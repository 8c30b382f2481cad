"""Clusters that steps run on, each behind an extra of the package."""
