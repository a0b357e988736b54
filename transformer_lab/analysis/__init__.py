"""Looking inside a model: what its attention computes, and what becomes of it when a part is taken away."""
