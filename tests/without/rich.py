"""Found instead of rich, which import-linter brings along and an installed syncd does without."""

raise ImportError
