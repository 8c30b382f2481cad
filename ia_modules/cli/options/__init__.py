"""What the words on a command line mean: a database, a pipeline, an execution, an input."""
