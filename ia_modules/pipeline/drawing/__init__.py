"""Drawings of a pipeline in text."""
