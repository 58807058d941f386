"""What policies earn beside the rule and the planner, in scenarios and worlds, and the search among policies."""
