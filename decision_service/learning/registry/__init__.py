"""The registry: the learner's checkpoint and the model versions that replicas serve."""
