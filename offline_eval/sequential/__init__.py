"""Sequential estimators, for policies with earlier decisions that change the contexts of later decisions."""
