"""Look inside a model: record what its attention computes, and ablate its parts."""
