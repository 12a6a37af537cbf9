"""Token prices of models by API: the lists, who sells what, endpoints, tiers, cache and batch rates."""
