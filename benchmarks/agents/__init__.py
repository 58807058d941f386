"""A library's agent in the environment: MaskablePPO of sb3-contrib against policies that do not learn."""
