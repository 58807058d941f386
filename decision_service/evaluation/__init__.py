"""Evaluation: the service's side of offline evaluation, which reads its log and its registry."""
