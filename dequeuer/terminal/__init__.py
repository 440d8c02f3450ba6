"""Text for a terminal: foreign text that cannot act on it, bars, tables, a block that is rewritten in place."""
