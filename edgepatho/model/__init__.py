"""PathoNet in Keras: the network, its graph, its weights, its training."""
