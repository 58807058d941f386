"""The policies `bayes`: four Bayesian heads, the value of orders, and scores that are sampled from both."""
