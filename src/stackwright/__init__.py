"""Stackwright designs AI stacks: chip, cloud, contract, engine, precision and parallelism at the lowest cost."""
