"""Fresh prices on request: readers of public price lists, the user's data directory and its lock file.

Nothing here runs by itself: prices are fetched by `stackwright catalog refresh` and `stackwright.api.refresh` only.
`run.refresh` is the door; `user` is what the store reads at start, and imports nothing of the network.
"""
