"""Does the runtime match Keras on every processor, with every instruction set and number of threads?"""
