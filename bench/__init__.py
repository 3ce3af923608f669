"""The benchmark: how fast the built program is, from outside, beside what bounds it and what people know."""
