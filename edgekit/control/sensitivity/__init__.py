"""`edgekit sensitivity`: which layers of a model cost INT8 its accuracy and stay in float."""
