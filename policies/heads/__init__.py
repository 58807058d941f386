"""Logistic heads with a Gaussian posterior for each weight, in NumPy alone: priors, learning, and draws for serving."""
