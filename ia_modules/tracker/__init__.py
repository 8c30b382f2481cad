"""The tracker: the journal over the rows, and every question that the rows answer."""
