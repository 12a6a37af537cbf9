"""Words and figures of a page: names as the field writes them, numbers as people read them, sentences."""
