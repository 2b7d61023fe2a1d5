"""How good is a model: cells out of heat maps, matching with labels, scores per patient."""
