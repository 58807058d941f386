"""Learning: the learner that folds the log, the registry of model versions, the version in force."""
