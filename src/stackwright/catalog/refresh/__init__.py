"""Fresh prices on request: readers of public price lists, the user's data directory and its lock file.

Nothing here runs by itself: only `stackwright catalog refresh` and `stackwright.api.refresh` reach the network.
`run.refresh` is the door; `user` is what the store reads at start, and imports nothing of the network.
"""
