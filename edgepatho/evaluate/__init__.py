"""Evaluation of a model: cells from heat maps, matching with labels, scores per patient."""
