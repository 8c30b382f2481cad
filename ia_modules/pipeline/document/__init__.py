"""What a pipeline file means: models, conditions, templates, and what can be wrong with them."""
